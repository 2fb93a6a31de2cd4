/** Rules in groups that look at the same rows. A group that fails leaves the others alone. */
import { databaseRules } from './database-rules.ts'
import { hostRules, listenerRules } from './host-rules.ts'
import { jobRules } from './job-rules.ts'
import { mediumRules } from './medium-rules.ts'
import { poolRules } from './pool-rules.ts'
import { diskRules, serverRules } from './server-rules.ts'
import { anomalyRules, sourceRules } from './source-rules.ts'
import type { RuleGroup } from './rule-group.ts'
import { verificationRules } from './verification-rules.ts'

export const RULE_GROUPS: readonly RuleGroup[] = [
  serverRules,
  hostRules,
  jobRules,
  poolRules,
  mediumRules,
  databaseRules,
  verificationRules,
  sourceRules,
  anomalyRules,
  diskRules,
  listenerRules,
]
