/** All texts of the command line in English; the other language has the same keys. */
import { englishGroupsHelp, englishGroupsRun } from './english-groups.ts'
import { englishHelp } from './english-help.ts'
import { englishRolesHelp, englishRolesRun } from './english-roles.ts'
import { englishRun } from './english-run.ts'
import { englishServerHelp } from './english-server-help.ts'
import { englishServerRun } from './english-server-run.ts'

export const english = {
  ...englishHelp,
  ...englishRun,
  ...englishRolesHelp,
  ...englishRolesRun,
  ...englishServerHelp,
  ...englishServerRun,
  ...englishGroupsHelp,
  ...englishGroupsRun,
} as const
export type English = typeof english
export type MessageKey = keyof English
