/**
 * Meaning of each wait event for a session that keeps others waiting and waits for no lock itself. Names as since 17;
 * up to 16 some differ in capitals: https://www.postgresql.org/docs/current/monitoring-stats.html#WAIT-EVENT-TABLE
 * The same table stands in docs/diagnosis.md.
 */
export type WaitMeaning = {
  /** Wait event type of pg_stat_activity; empty: there is no wait. */
  readonly type: string
  /** Empty: every other one of its type. */
  readonly events: readonly string[]
  /** "It waits for …". */
  readonly waitsFor: string
  /** "Behind it can be …". */
  readonly behind: string
  /** True when it goes on without help, in a healthy server. */
  readonly endsByItself: boolean
  /** Sessions that can be behind it, when that is known. */
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
  rest: Omit<WaitMeaning, 'type' | 'events' | 'suspects'> & { readonly suspects?: Suspects },
): WaitMeaning => ({ type, events: events === '' ? [] : events.split(' '), suspects: null, ...rest })

export const waitMeanings: readonly WaitMeaning[] = [
  meaning('BufferPin', '', {
    waitsFor: 'a page that others have in use',
    behind: 'a session with an open cursor on the same table, or one whose statement stands still there',
    endsByItself: false,
    suspects: 'pins',
  }),
  // From 19 on.
  meaning('Buffer', 'BufferCleanup', {
    waitsFor: 'a page that others have in use',
    behind: 'a session with an open cursor on the same table, or one whose statement stands still there',
    endsByItself: false,
    suspects: 'pins',
  }),
  meaning('Buffer', '', {
    waitsFor: 'a page that others read or write',
    behind: 'the disk, or very many sessions at once',
    endsByItself: true,
  }),
  meaning('IPC', 'ProcSignalBarrier', {
    waitsFor: 'every process of the server to take note of a change',
    behind:
      'a session that takes none meanwhile: COPY … PROGRAM, a client that takes no result or sends no data, long code of an extension',
    endsByItself: false,
    suspects: 'deaf',
  }),
  meaning('IPC', 'SyncRep', {
    waitsFor: 'a synchronous standby to have its commit',
    behind: 'the standbys of synchronous_standby_names, or the network to them',
    endsByItself: false,
    suspects: 'walsender',
  }),
  meaning('IPC', 'AppendReady', {
    waitsFor: 'answers of other servers to a foreign scan',
    behind: 'those servers: what waits there is not seen from here',
    endsByItself: false,
  }),
  meaning(
    'IPC',
    'ExecuteGather BtreePage MessageQueueInternal MessageQueuePutMessage MessageQueueReceive MessageQueueSend ParallelBitmapScan ParallelCreateIndexScan ParallelFinish HashBatchAllocate HashBatchElect HashBatchLoad HashBuildAllocate HashBuildElect HashBuildHashInner HashBuildHashOuter HashGrowBatchesDecide HashGrowBatchesElect HashGrowBatchesFinish HashGrowBatchesReallocate HashGrowBatchesRepartition HashGrowBucketsElect HashGrowBucketsReallocate HashGrowBucketsReinsert',
    {
      waitsFor: 'the other processes of its parallel query',
      behind: 'one of those, by what it waits for itself',
      endsByItself: true,
      suspects: 'workers',
    },
  ),
  // From 19 on: REPACK (CONCURRENTLY), for its worker that reads the changes of others, see repack.c.
  meaning('IPC', 'RepackWorkerExport', {
    waitsFor: 'the worker that reads for its REPACK what others change meanwhile',
    behind: 'that worker: it begins when every transaction of its time has ended',
    endsByItself: true,
    suspects: 'workers',
  }),
  meaning('IPC', 'BgworkerStartup BgworkerShutdown', {
    waitsFor: 'a background worker to start or to end',
    behind: 'a worker that does not react, or a server that has too much to do to start one',
    endsByItself: false,
  }),
  meaning('IPC', 'CheckpointStart CheckpointDone CheckpointDelayStart CheckpointDelayComplete', {
    waitsFor: 'a checkpoint',
    behind: 'the checkpointer, and the disk',
    endsByItself: true,
    suspects: 'checkpointer',
  }),
  meaning('IPC', 'BackupWaitWalArchive', {
    waitsFor: 'the WAL of its backup to be archived',
    behind: 'an archive_command that fails or hangs (see pg_stat_archiver)',
    endsByItself: false,
    suspects: 'archiver',
  }),
  meaning('IPC', 'ArchiveCommand ArchiveCleanupCommand RestoreCommand RecoveryEndCommand', {
    waitsFor: 'a command of the configuration to end',
    behind: 'that command, outside of the server',
    endsByItself: false,
  }),
  meaning(
    'IPC',
    'LogicalSyncData LogicalSyncStateChange LogicalApplySendData LogicalParallelApplyStateChange',
    {
      waitsFor: 'the publisher of a subscription, or the other workers that apply it',
      behind: 'the publisher, or what the other workers wait for',
      endsByItself: false,
    },
  ),
  meaning('IPC', 'ReplicationSlotDrop ReplicationOriginDrop', {
    waitsFor: 'a replication slot or origin to be let go',
    behind: 'the walsender or worker that uses it',
    endsByItself: false,
    suspects: 'walsender',
  }),
  meaning('IPC', 'RecoveryPause', {
    waitsFor: 'the replay of this standby to be resumed',
    behind: 'whoever paused it: SELECT pg_wal_replay_resume(); lets it go on',
    endsByItself: false,
  }),
  meaning('IPC', 'RecoveryConflictSnapshot RecoveryConflictTablespace', {
    waitsFor: 'sessions of this standby that are in the way of replay',
    behind: 'those sessions: see max_standby_streaming_delay',
    endsByItself: false,
  }),
  meaning('IPC', 'BackendTermination', {
    waitsFor: 'a session to end that it has terminated',
    behind: 'that session, which does not react',
    endsByItself: false,
  }),
  meaning('IPC', 'BufferIo MultixactCreation ProcarrayGroupUpdate XactGroupUpdate', {
    waitsFor: 'another process to do its part of a moment',
    behind: 'the disk',
    endsByItself: true,
  }),
  meaning('IPC', '', {
    waitsFor: 'another process of the server',
    behind: 'that process, by what it waits for itself',
    endsByItself: false,
  }),
  meaning('Client', 'LibpqwalreceiverConnect LibpqwalreceiverReceive', {
    waitsFor: 'an answer of another server, a publisher or a primary',
    behind: 'that server: making a slot there waits for every transaction of its time',
    endsByItself: false,
  }),
  meaning('Client', 'WaitForStandbyConfirmation', {
    waitsFor: 'the standbys of synchronized_standby_slots',
    behind: 'those standbys, or the network to them',
    endsByItself: false,
    suspects: 'walsender',
  }),
  // From 19 on: WAIT FOR LSN.
  meaning('Client', 'WaitForWalFlush WaitForWalReplay WaitForWalWrite', {
    waitsFor: 'WAL to come as far as its WAIT FOR says',
    behind: 'the primary, the network to it, or a replay that is paused or held up',
    endsByItself: false,
  }),
  meaning('Client', 'ClientWrite', {
    waitsFor: 'its client to take the result',
    behind: 'its client, or the network to it',
    endsByItself: false,
  }),
  meaning('Client', '', {
    waitsFor: 'its client to send something',
    behind: 'its client, a pooler before it, or the network',
    endsByItself: false,
  }),
  meaning('Extension', '', {
    waitsFor: 'something that an extension does: with dblink or postgres_fdw, an answer of another server',
    behind: 'that server: what waits there is not seen from here',
    endsByItself: false,
  }),
  meaning('IO', 'CopyFromRead CopyToWrite', {
    waitsFor: 'the file or the program of its COPY',
    behind: 'that program, outside of the server',
    endsByItself: false,
  }),
  meaning('IO', '', {
    waitsFor: 'the disk',
    behind: 'slow or full storage, or a network file system',
    endsByItself: true,
  }),
  meaning('LWLock', '', {
    waitsFor: 'a short lock inside of the server',
    behind: 'whoever has it, which no view shows: the disk, or very many sessions at once',
    endsByItself: true,
  }),
  meaning('Timeout', 'PgSleep', {
    waitsFor: 'the end of a pg_sleep',
    behind: 'its own statement, which sleeps',
    endsByItself: true,
  }),
  meaning('Timeout', 'VacuumDelay', {
    waitsFor: 'its next turn: it works slowly on purpose',
    behind: 'vacuum_cost_delay and vacuum_cost_limit',
    endsByItself: true,
  }),
  meaning('Timeout', 'RecoveryApplyDelay RecoveryRetrieveRetryInterval', {
    waitsFor: 'WAL, or the time to replay it',
    behind: 'recovery_min_apply_delay, the primary, or the archive',
    endsByItself: false,
  }),
  meaning('Timeout', '', {
    waitsFor: 'a moment to pass',
    behind: 'a setting that slows it down',
    endsByItself: true,
  }),
  meaning('Activity', '', {
    waitsFor: 'work: it is at rest',
    behind: 'a transaction of another server that it applies or replays: the way out is there',
    endsByItself: false,
  }),
  meaning('InjectionPoint', '', {
    waitsFor: 'a test that holds it',
    behind: 'whoever set the injection point',
    endsByItself: false,
  }),
  // Read by the statement: see meaningOf.
  meaning('', '', {
    waitsFor:
      'a program, or another server (COPY … PROGRAM, dblink), which the server does not count as a wait',
    behind: 'that program or server',
    endsByItself: false,
  }),
]
