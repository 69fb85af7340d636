import { everyScope, type Manifest } from '../src/index.ts'

/** An app with one command, no events, a Home, and every scope. */
export const manifest: Manifest = {
  commands: [{ command: '/ask', description: 'Ask something', usageHint: 'help' }],
  scopes: everyScope,
  events: [],
  hasHome: true,
}
