import type { StatementKey } from './chunk.ts'

/** Numbers for what is met in a chunk, in the order in which it is. */

export type Words = {
  /** Returns the number of a word: what is said in JSON. */
  of(word: unknown): number
  /** Returns the word with this number; null: none has it, or it is a list. */
  at(number: number): unknown
  /** Returns those that are new since the last time. */
  takeNew(): readonly unknown[]
}

export function createWords(): Words {
  const numbers = new Map<unknown, number>()
  /** Numbers of lists, which are the same where their JSON is. */
  const listNumbers = new Map<string, number>()
  const words: unknown[] = []
  let added: unknown[] = []
  function numberIn<K>(known: Map<K, number>, key: K, word: unknown): number {
    const number = known.get(key)
    if (number !== undefined) return number
    known.set(key, words.length)
    added.push(word)
    return words.push(typeof word === 'object' ? null : word) - 1
  }
  return {
    of: (word) =>
      typeof word === 'object' && word !== null
        ? numberIn(listNumbers, JSON.stringify(word), word)
        : numberIn(numbers, word, word),
    at: (number) => words[number] ?? null,
    takeNew() {
      const taken = added
      added = []
      return taken
    },
  }
}

export type Statements = {
  /** Returns the number of a statement; `text` undefined: it is not known. */
  of(text: string | undefined, queryId: string | null): number
  /** Decides whether it is the one with this number. */
  isAt(number: number, text: string | undefined, queryId: string | null): boolean
  takeNew(): readonly StatementKey[]
  /** Returns the texts that are new since the last time, by id. */
  takeTexts(): ReadonlyMap<string, string>
}

/** Numbers statements, and keeps no more of them than is needed to know them again. */
export function createStatements(idOf: (text: string) => string): Statements {
  const texts: (string | undefined)[] = []
  const queryIds: (string | null)[] = []
  /** The first number with a text, and for a number the next one with the same text and another query id. */
  const first = new Map<string | undefined, number>()
  const next = new Map<number, number>()
  let added: StatementKey[] = []
  let addedTexts = new Map<string, string>()
  return {
    of(text, queryId) {
      let number = first.get(text)
      let last: number | undefined
      while (number !== undefined && queryIds[number] !== queryId) {
        last = number
        number = next.get(number)
      }
      if (number !== undefined) return number
      const id = text === undefined ? null : idOf(text)
      if (last !== undefined) next.set(last, texts.length)
      else {
        first.set(text, texts.length)
        if (text !== undefined && id !== null) addedTexts.set(id, text)
      }
      added.push([id, queryId])
      queryIds.push(queryId)
      return texts.push(text) - 1
    },
    isAt: (number, text, queryId) => number >= 0 && texts[number] === text && queryIds[number] === queryId,
    takeNew() {
      const taken = added
      added = []
      return taken
    },
    takeTexts() {
      const taken = addedTexts
      addedTexts = new Map()
      return taken
    },
  }
}
