/** All texts of the command line in Chinese. A missing key does not compile. */
import { chineseGroupsHelp, chineseGroupsRun } from './chinese-groups.ts'
import { chineseHelp } from './chinese-help.ts'
import { chineseRolesHelp, chineseRolesRun } from './chinese-roles.ts'
import { chineseRun } from './chinese-run.ts'
import { chineseServerHelp } from './chinese-server-help.ts'
import { chineseServerRun } from './chinese-server-run.ts'
import type { Messages } from './text.ts'

export const chinese: Messages = {
  ...chineseHelp,
  ...chineseRun,
  ...chineseRolesHelp,
  ...chineseRolesRun,
  ...chineseServerHelp,
  ...chineseServerRun,
  ...chineseGroupsHelp,
  ...chineseGroupsRun,
}
