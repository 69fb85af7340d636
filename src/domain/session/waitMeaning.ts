/**
 * What each wait event means for one who keeps others waiting and waits for no lock itself. Names as since 17; up to 16 some
 * differ in capitals: https://www.postgresql.org/docs/current/monitoring-stats.html#WAIT-EVENT-TABLE
 * The same table stands in docs/diagnosis.md.
 */
export type WaitMeaning = {
  /** Of pg_stat_activity; empty: it tells of no wait. */
  readonly type: string
  /** Empty: every other one of its type. */
  readonly events: readonly string[]
  /** "It waits for …". */
  readonly waitsFor: string
  /** "Behind it can be …". */
  readonly behind: string
  /** Whether it goes on without anybody's help, in a server that is well. */
  readonly endsByItself: boolean
  /** Which sessions those are, where that can be told. */
  readonly suspects: Suspects | null
}

/**
 * `pins`: they use the same table, and hold a snapshot. `deaf`: they do not react to the server meanwhile. `workers`: of the same
 * parallel query. Others are processes of one type.
 */
export type Suspects = 'pins' | 'deaf' | 'workers' | 'walsender' | 'checkpointer' | 'archiver'

const meaning = (
  type: string,
  events: string,
  waitsFor: string,
  behind: string,
  endsByItself: boolean,
  suspects: Suspects | null = null,
): WaitMeaning => ({
  type,
  events: events === '' ? [] : events.split(' '),
  waitsFor,
  behind,
  endsByItself,
  suspects,
})

export const waitMeanings: readonly WaitMeaning[] = [
  meaning(
    'BufferPin',
    '',
    'a page that others have in use',
    'a session with an open cursor on the same table, or one whose statement stands still there',
    false,
    'pins',
  ),
  // From 19 on.
  meaning(
    'Buffer',
    'BufferCleanup',
    'a page that others have in use',
    'a session with an open cursor on the same table, or one whose statement stands still there',
    false,
    'pins',
  ),
  meaning('Buffer', '', 'a page that others read or write', 'the disk, or very many sessions at once', true),
  meaning(
    'IPC',
    'ProcSignalBarrier',
    'every process of the server to take note of a change',
    'a session that takes none meanwhile: COPY … PROGRAM, a client that takes no result or sends no data, long code of an extension',
    false,
    'deaf',
  ),
  meaning(
    'IPC',
    'SyncRep',
    'a synchronous standby to have its commit',
    'the standbys of synchronous_standby_names, or the network to them',
    false,
    'walsender',
  ),
  meaning(
    'IPC',
    'AppendReady',
    'answers of other servers to a foreign scan',
    'those servers: what waits there is not seen from here',
    false,
  ),
  meaning(
    'IPC',
    'ExecuteGather BtreePage MessageQueueInternal MessageQueuePutMessage MessageQueueReceive MessageQueueSend ParallelBitmapScan ParallelCreateIndexScan ParallelFinish HashBatchAllocate HashBatchElect HashBatchLoad HashBuildAllocate HashBuildElect HashBuildHashInner HashBuildHashOuter HashGrowBatchesDecide HashGrowBatchesElect HashGrowBatchesFinish HashGrowBatchesReallocate HashGrowBatchesRepartition HashGrowBucketsElect HashGrowBucketsReallocate HashGrowBucketsReinsert',
    'the other processes of its parallel query',
    'one of those, by what it waits for itself',
    true,
    'workers',
  ),
  meaning(
    'IPC',
    'BgworkerStartup BgworkerShutdown',
    'a background worker to start or to end',
    'a worker that does not react, or a server that has too much to do to start one',
    false,
  ),
  meaning(
    'IPC',
    'CheckpointStart CheckpointDone CheckpointDelayStart CheckpointDelayComplete',
    'a checkpoint',
    'the checkpointer, and the disk',
    true,
    'checkpointer',
  ),
  meaning(
    'IPC',
    'BackupWaitWalArchive',
    'the WAL of its backup to be archived',
    'an archive_command that fails or hangs (see pg_stat_archiver)',
    false,
    'archiver',
  ),
  meaning(
    'IPC',
    'ArchiveCommand ArchiveCleanupCommand RestoreCommand RecoveryEndCommand',
    'a command of the configuration to end',
    'that command, outside of the server',
    false,
  ),
  meaning(
    'IPC',
    'LogicalSyncData LogicalSyncStateChange LogicalApplySendData LogicalParallelApplyStateChange',
    'the publisher of a subscription, or the other workers that apply it',
    'the publisher, or what the other workers wait for',
    false,
  ),
  meaning(
    'IPC',
    'ReplicationSlotDrop ReplicationOriginDrop',
    'a replication slot or origin to be let go',
    'the walsender or worker that uses it',
    false,
    'walsender',
  ),
  meaning(
    'IPC',
    'RecoveryPause',
    'the replay of this standby to be resumed',
    'whoever paused it: SELECT pg_wal_replay_resume(); lets it go on',
    false,
  ),
  meaning(
    'IPC',
    'RecoveryConflictSnapshot RecoveryConflictTablespace',
    'sessions of this standby that are in the way of replay',
    'those sessions: see max_standby_streaming_delay',
    false,
  ),
  meaning(
    'IPC',
    'BackendTermination',
    'a session to end that it has terminated',
    'that session, which does not react',
    false,
  ),
  meaning(
    'IPC',
    'BufferIo MultixactCreation ProcarrayGroupUpdate XactGroupUpdate',
    'another process to do its part of a moment',
    'the disk',
    true,
  ),
  meaning('IPC', '', 'another process of the server', 'that process, by what it waits for itself', false),
  meaning(
    'Client',
    'LibpqwalreceiverConnect LibpqwalreceiverReceive',
    'an answer of another server, a publisher or a primary',
    'that server: making a slot there waits for every transaction of its time',
    false,
  ),
  meaning(
    'Client',
    'WaitForStandbyConfirmation',
    'the standbys of synchronized_standby_slots',
    'those standbys, or the network to them',
    false,
    'walsender',
  ),
  meaning(
    'Client',
    'ClientWrite',
    'its client to take the result',
    'its client, or the network to it',
    false,
  ),
  meaning(
    'Client',
    '',
    'its client to send something',
    'its client, a pooler before it, or the network',
    false,
  ),
  meaning(
    'Extension',
    '',
    'something that an extension does: with dblink or postgres_fdw, an answer of another server',
    'that server: what waits there is not seen from here',
    false,
  ),
  meaning(
    'IO',
    'CopyFromRead CopyToWrite',
    'the file or the program of its COPY',
    'that program, outside of the server',
    false,
  ),
  meaning('IO', '', 'the disk', 'slow or full storage, or a network file system', true),
  meaning(
    'LWLock',
    '',
    'a short lock inside of the server',
    'whoever has it, which no view tells: the disk, or very many sessions at once',
    true,
  ),
  meaning('Timeout', 'PgSleep', 'the end of a pg_sleep', 'its own statement, which sleeps', true),
  meaning(
    'Timeout',
    'VacuumDelay',
    'its next turn: it works slowly on purpose',
    'vacuum_cost_delay and vacuum_cost_limit',
    true,
  ),
  meaning(
    'Timeout',
    'RecoveryApplyDelay RecoveryRetrieveRetryInterval',
    'WAL, or the time to replay it',
    'recovery_min_apply_delay, the primary, or the archive',
    false,
  ),
  meaning('Timeout', '', 'a moment to pass', 'a setting that slows it down', true),
  meaning(
    'Activity',
    '',
    'work: it is at rest',
    'a transaction of another server that it applies or replays: the way out is there',
    false,
  ),
  meaning('InjectionPoint', '', 'a test that holds it', 'whoever set the injection point', false),
  // Read by the statement: see meaningOf.
  meaning(
    '',
    '',
    'a program, or another server (COPY … PROGRAM, dblink), which the server does not count as a wait',
    'that program or server',
    false,
  ),
]
