/** The tables of databases as sources and of virtual databases; the rules of schema.ts hold. */
import type { Generated } from 'kysely'

export interface DatabaseTables {
  /** What a source of kind postgres or mysql has beside its row, and how its standby stands. */
  sourceDatabase: {
    sourceId: string
    stagingHostId: string | null
    /** Without the password: DatabaseConnection of packages/api. */
    connectionJson: string
    /** The password, in the vault; null: peer authentication. */
    secretId: string | null
    volumeBytes: number | null
    /** Up to which it grows by itself; null: not known yet, or not at all. */
    volumeMaxBytes: Generated<number | null>
    retainedLimitBytes: number
    synchronous: number
    selfService: 'off' | 'approval' | 'on'
    /** What is asked of each point that is verified: SqlAssertions of packages/api. */
    assertionsJson: Generated<string>
    engineVersion: string
    identity: string
    /** The medium that is its volume; null until the first protect has made it. */
    mediumId: string | null
    seededAt: number | null
    /** DatabaseStatus of protocols as the staging host last told it; null: never. */
    statusJson: string | null
    statusAt: number | null
  }
  /** An instance on a clone. Its row outlives what stands below it: refresh exchanges that. */
  virtualDatabase: {
    id: string
    name: string
    engine: string
    engineVersion: string
    sourceId: string
    parentId: string | null
    pointId: string | null
    bookmarkId: string | null
    /** RecoveryTarget of packages/api. */
    targetJson: string
    hostId: string
    poolId: string
    nodeId: string
    mediumId: string | null
    state:
      | 'creating'
      | 'running'
      | 'stopping'
      | 'stopped'
      | 'starting'
      | 'refreshing'
      | 'resetting'
      | 'promoting'
      | 'dropping'
      | 'dropped'
      | 'failed'
      | 'lost'
    dataAt: number | null
    position: string | null
    address: string | null
    port: number | null
    userName: string
    /** Its password, in the vault. */
    secretId: string
    databasesJson: string
    listenJson: string
    settingsJson: string
    leaseUntil: number | null
    quotaBytes: number | null
    writtenBytes: number | null
    autoRefreshJson: string | null
    nextRefreshAt: number | null
    lastRefreshAt: number | null
    liveSync: number
    kept: number
    directory: string | null
    mode: Generated<'copy' | 'production'>
    /** Of one that follows: it stands still for now. */
    syncPaused: Generated<number>
    /** DatabaseStatus of the agent, when it was last seen. */
    syncJson: Generated<string | null>
    syncAt: Generated<number | null>
    purpose: string
    labelsJson: string
    createdBy: string
    createdAt: number
    readyAt: number | null
    endedAt: number | null
    problemJson: string | null
    version: number
  }
  /** A state of a virtual database that can be gone back to: a snapshot in its pool. */
  bookmark: {
    id: string
    virtualDatabaseId: string
    name: string
    state: 'creating' | 'available' | 'deleting' | 'failed'
    poolId: string
    snapshotId: string | null
    takenAt: number | null
    sizeBytes: number | null
    addedBytes: number | null
    createdBy: string
    createdAt: number
    problemJson: string | null
  }
}
