export { type Deadman, setDeadman } from './deadman.ts'
export {
  forgetOwnServers,
  type PostgresOptions,
  startPostgres,
  type TemporaryPostgres,
} from './postgres.ts'
export { bornAt, childrenOf, commandLine } from './processes.ts'
export { startStandby } from './standby.ts'
export { fetchPostgres, installedMajor, isHere, olderVersions, run } from './versions.ts'
