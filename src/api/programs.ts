import { EventEmitter } from 'node:events'
import type { RequestListener } from 'node:http'
import type { ForPrograms } from './listener.ts'

/** All that programs do with the bot: they look and ask, over HTTP. */
export type Programs = {
  readonly requestListener: RequestListener
  /** Something may have become of a proposal, or of a token. */
  changed(): void
  /** Answers those who wait, with what there is. */
  stop(): Promise<void>
}

/** Most bots have no program that asks: what answers one takes 10 MB of memory, and is loaded with the first request. */
export function createPrograms(deps: ForPrograms): Programs {
  const changes = new EventEmitter<{ changed: [] }>().setMaxListeners(0)
  const stopping = new AbortController()
  let loading: Promise<RequestListener> | null = null
  const load = async () => {
    const { createProgramListener } = await import('./listener.ts')
    return createProgramListener({ ...deps, changes, stopping: stopping.signal })
  }
  return {
    requestListener: async (request, response) => {
      loading ??= load()
      const listen = await loading
      listen(request, response)
    },
    changed: () => void changes.emit('changed'),
    stop: async () => stopping.abort(),
  }
}
