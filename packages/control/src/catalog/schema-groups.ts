/** The tables of consistency groups (decision 0016); the rules of schema.ts hold. */

export interface GroupTables {
  consistencyGroup: {
    id: string
    name: string
    /** The policy of its members too; null: it runs by hand only. */
    policyId: string | null
    clockLimitMs: number
    labelsJson: string
    /** When its policy wants a point; null: not planned yet, or never. */
    nextRunAt: number | null
    lastDueAt: number | null
    lastJobId: string | null
    /** Why its last run made no point. */
    problemJson: string | null
    createdBy: string
    createdAt: number
    version: number
  }
  /** A source is in one group at most. */
  groupMember: { groupId: string; sourceId: string }
  /** A moment at which all members can be had. */
  groupPoint: {
    id: string
    groupId: string
    /** `creating` while its run is under way: its base points are kept for it. */
    state: 'creating' | 'available'
    /** A whole second. */
    at: number
    /** How far apart the clocks of production may have been; null: not measured. */
    clockSpreadMs: number | null
    reasonsJson: string
    jobId: string
    createdAt: number
  }
  groupPointMember: {
    groupPointId: string
    sourceId: string
    basePointId: string
    /** Null while its run is under way. */
    pointId: string | null
    clockOffsetMs: number | null
    clockErrorMs: number | null
  }
}
