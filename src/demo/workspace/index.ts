export type { Annex } from './control.ts'
export type { Delivered, EnvelopeType } from './delivery.ts'
export type { Fault } from './faults.ts'
export type { Outcome, Press, SlashCommand, ViewSubmission } from './interactions.ts'
export { demoTeam } from './seed.ts'
export type { History } from './state.ts'
export type * from './types.ts'
export {
  createWorkspace,
  everyScope,
  type RawDelivery,
  type Workspace,
  type WorkspaceOptions,
} from './workspace.ts'
