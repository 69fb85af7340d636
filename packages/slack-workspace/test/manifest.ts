import { everyScope, type Manifest } from '../src/index.ts'

/** An app with one command, no events, two shortcuts, a Home, and every scope. */
export const manifest: Manifest = {
  commands: [{ command: '/ask', description: 'Ask something', usageHint: 'help' }],
  scopes: everyScope,
  events: [],
  shortcuts: [
    { name: 'Begin', type: 'global', callbackId: 'begin' },
    { name: 'Explain', type: 'message', callbackId: 'explain' },
  ],
  hasHome: true,
}
