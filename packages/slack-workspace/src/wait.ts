import type { State } from './state.ts'
import { transcriptOf } from './transcript.ts'

export type WaitOptions = {
  /** Milliseconds; 20,000 if absent. */
  readonly timeoutMs?: number
  /** Name of the thing that is waited for. */
  readonly what?: string
}

/**
 * Resolves with the predicate's first truthy answer, asked now and after every change. Rejects at the deadline with
 * everything that is on the screen, and at once when the predicate throws.
 */
export const createWaitFor =
  (state: State) =>
  <T>(
    predicate: () => T | undefined | null | false | '' | 0,
    { timeoutMs = 20_000, what = 'the expected change' }: WaitOptions = {},
  ): Promise<T> =>
    new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer)
        state.changes.off('change', ask)
      }
      const ask = () => {
        try {
          const answer = predicate()
          if (!answer) return
          stop()
          resolve(answer)
        } catch (error) {
          stop()
          reject(error)
        }
      }
      const timer = setTimeout(() => {
        stop()
        reject(new Error(`waited ${timeoutMs} ms for ${what}; the workspace shows:\n${transcriptOf(state)}`))
      }, timeoutMs)
      state.changes.on('change', ask)
      ask()
    })
