import { readFile } from 'node:fs/promises'
import type { McpServer } from '@modelcontextprotocol/server'

/** Documents that explain what the tools show. */
const documents = {
  api: 'What programs may do here, limits, and errors',
  diagnosis: 'What each finding means, and what helps',
  folklore: 'What people believe about locks in PostgreSQL, and what is so',
} as const

/** Adds the handbook: documents of the project, as they come with it. */
export function addHandbook(server: McpServer): void {
  for (const [name, description] of Object.entries(documents))
    server.registerResource(
      name,
      `pg-marshal://docs/${name}`,
      { title: `docs/${name}.md`, description, mimeType: 'text/markdown' },
      async ({ href }) => ({
        contents: [
          {
            uri: href,
            mimeType: 'text/markdown',
            text: await readFile(new URL(`../../../docs/${name}.md`, import.meta.url), 'utf8'),
          },
        ],
      }),
    )
}
