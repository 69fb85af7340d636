import type { DeadlockReport } from '../domain/session/health.ts'

/**
 * The deadlocks in the end of a server log, oldest first. Found by their SQLSTATE; messages come in the server's
 * language and are not read. Of an entry only these leave: names, pids, and the statement that was ended, masked. The
 * statements of the others stand in its detail, one after the other with nothing that surely marks where one ends, so
 * they cannot be masked with certainty and stay behind.
 * @param isWhole whether this is the whole file; else it begins somewhere in an entry
 */
export function deadlocksIn(
  tail: Buffer,
  format: 'jsonlog' | 'csvlog',
  isWhole: boolean,
  maskText: (text: string) => string | null,
): DeadlockReport[] {
  // Bytes of another encoding become �, which is no letter of any statement that is shown as it is.
  const text = new TextDecoder().decode(tail)
  const entries = format === 'jsonlog' ? jsonEntries(text) : csvEntries(text, isWhole)
  return entries
    .filter(({ sqlstate }) => sqlstate === '40P01')
    .map(({ at, database, user, applicationName, pid, detail, statement }) => ({
      at,
      database,
      user,
      applicationName,
      pid,
      pids: pidsIn(detail),
      statement: statement ? maskText(statement) : null,
    }))
}

type Entry = Pick<DeadlockReport, 'at' | 'database' | 'user' | 'applicationName' | 'pid'> & {
  readonly sqlstate: string
  readonly detail: string
  readonly statement: string
}

/** One object a line: "JSON-Format Log Output" in the manual. A line that is cut, or none of ours, is left out. */
function jsonEntries(text: string): Entry[] {
  return text.split('\n').flatMap((line) => {
    if (!line.includes('"40P01"')) return []
    let entry: unknown
    try {
      entry = JSON.parse(line)
    } catch {
      return []
    }
    if (typeof entry !== 'object' || entry === null) return []
    const words = (key: string) => {
      const value: unknown = Reflect.get(entry, key)
      return typeof value === 'string' ? value : ''
    }
    return {
      at: words('timestamp'),
      database: words('dbname'),
      user: words('user'),
      applicationName: words('application_name'),
      pid: Number(Reflect.get(entry, 'pid')) || 0,
      sqlstate: words('state_code'),
      detail: words('detail'),
      statement: words('statement'),
    }
  })
}

/** "Using CSV-Format Log Output" in the manual: 26 columns since 14. */
const columns = 26
const isRecord = (fields: readonly string[]): boolean =>
  fields.length === columns && /^[0-9a-f]+\.[0-9a-f]+$/.test(fields[5] ?? '') && /^\d+$/.test(fields[3] ?? '')

/**
 * An entry may have several lines, and the tail may begin inside of a quoted field. So a line counts as the beginning
 * of an entry only where everything from there to the end reads as entries.
 */
function csvEntries(text: string, isWhole: boolean): Entry[] {
  const end = text.lastIndexOf('\n') + 1
  for (let from = isWhole ? 0 : text.indexOf('\n') + 1; from < end; from = text.indexOf('\n', from) + 1) {
    const records = readCsv(text.slice(from, end))
    if (records?.every(isRecord))
      return records.map((fields) => ({
        at: fields[0] ?? '',
        user: fields[1] ?? '',
        database: fields[2] ?? '',
        pid: Number(fields[3]),
        sqlstate: fields[12] ?? '',
        detail: fields[14] ?? '',
        statement: fields[19] ?? '',
        applicationName: fields[22] ?? '',
      }))
  }
  return []
}

// Sticky, and both alternatives begin with another character, so nothing is read twice.
const field = /(?:"((?:[^"]|"")*)"|([^",\n]*))([,\n])/y

/** Whole records with every quote in its place; null when the text is anything else. */
function readCsv(text: string): string[][] | null {
  const records: string[][] = []
  let record: string[] = []
  for (field.lastIndex = 0; field.lastIndex < text.length; ) {
    const [, quoted, plain, end] = field.exec(text) ?? []
    if (end === undefined) return null
    record.push(quoted?.replaceAll('""', '"') ?? plain ?? '')
    if (end === ',') continue
    if (record.length !== columns) return null
    records.push(record)
    record = []
  }
  return record.length === 0 ? records : null
}

/**
 * Finds who waited for each other, in the detail of an entry. It has a line for each that waits ("Process 1 waits for …
 * of database 5; blocked by process 2."), then a line for each with its statement ("Process 1: UPDATE …"), in the
 * server's language (DeadLockReport in deadlock.c). Only a number in the first part is taken: nothing of a statement.
 */
function pidsIn(detail: string): number[] {
  const lines = detail.split('\n')
  const headOf = (line: string) => /^[^\d:]{0,40}(\d{1,10})\s?[::]/.exec(line)?.[1]
  const first = lines.findIndex((line) => headOf(line) !== undefined)
  if (first < 1) return []
  const named = new Set(lines.slice(0, first).flatMap((line) => line.match(/\d+/g) ?? []))
  const heads = lines.slice(first).flatMap((line) => headOf(line) ?? [])
  return [...new Set(heads.filter((pid) => named.has(pid)).map(Number))]
}
