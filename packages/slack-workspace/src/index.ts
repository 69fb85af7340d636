export type { Panel } from './control.ts'
export type { Delivered, EnvelopeType, HttpOverrides, Outcome } from './delivery.ts'
export type { Fault } from './faults.ts'
export type { Press, ShortcutUse, SlashCommand } from './interactions.ts'
export { checkBlocks, checkText, checkView } from './limits.ts'
export { type Manifest, readManifest, type Shortcut } from './manifest.ts'
export type { ViewSubmission } from './modals.ts'
export { exampleTeam } from './seed.ts'
export type { History } from './state.ts'
export type * from './types.ts'
export {
  createWorkspace,
  everyScope,
  type RawDelivery,
  type Workspace,
  type WorkspaceOptions,
} from './workspace.ts'
