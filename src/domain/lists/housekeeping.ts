import { tokens } from '../text/mask.ts'

/**
 * Decides whether a statement is one that drivers, frameworks and monitoring send on their own: it reads nothing but
 * system catalogs, or asks for or sets something of its session. In doubt it is not.
 */
export function isHousekeeping(statement: string): boolean {
  const words = wordsOf(statement)
  const first = words.find((word) => word !== '(') ?? ''
  if (ofSession.has(first)) return true
  if (!['select', 'with', 'table'].includes(first)) return false
  if (words.some((word) => writing.has(word))) return false
  const found = relationsIn(words)
  const own = new Set(namesOfWith(words))
  const read = found.filter((name) => !own.has(name))
  if (read.length > 0) return read.every(isCatalog) && read.some((name) => !neutral.has(name))
  const calls = words.flatMap((word, at) => (words[at + 1] === '(' && isName(word) ? [word] : []))
  return found.length === 0 && calls.every((name) => asking.has(name))
}

const ofSession = new Set(['show', 'set', 'reset', 'discard', 'deallocate', 'listen', 'unlisten'])
const writing = new Set(['insert', 'update', 'delete', 'merge', 'into'])
/** Functions in FROM that read nothing. Alone they make no statement a catalog query. */
const neutral = new Set(['unnest()', 'generate_series()', 'generate_subscripts()', 'values()'])
/** Functions that only ask the session or the server for what they are. */
const asking = new Set(
  [
    'version current_database current_schema current_schemas current_setting set_config now coalesce',
    'inet_server_addr inet_server_port pg_backend_pid pg_is_in_recovery pg_cancel_backend pg_terminate_backend',
    'pg_postmaster_start_time pg_conf_load_time pg_last_wal_receive_lsn pg_last_wal_replay_lsn',
    'pg_last_xact_replay_timestamp pg_current_wal_lsn pg_encoding_to_char',
  ].flatMap((names) => names.split(' ')),
)

/** `pg_class`, `pg_catalog.…`, `information_schema.…`, and views of an extension like `monitor.pg_stat_statements`. */
const isCatalog = (relation: string): boolean =>
  neutral.has(relation) ||
  /^(?:(?:pg_catalog|information_schema)\..|(?:[^.]+\.)?pg_stat_statements|pg_[^.]*$)/.test(relation)

const isName = (word: string | undefined): word is string =>
  word !== undefined && /^[\w\u0080-\uffff"]/.test(word) && !keywords.has(word)
const keywords = new Set(
  'select from where and or not in any all exists on join as values over filter then else when case order by using cast'.split(
    ' ',
  ),
)

/** Words and signs in lower case, without white space and comments; constants are `?`. */
function wordsOf(statement: string): string[] {
  const words: string[] = []
  for (const { kind, start, end } of tokens(statement)) {
    const word = statement.slice(start, end)
    if (kind === 'space' || word.startsWith('--') || word.startsWith('/*')) continue
    // A name in quotes is no keyword, so its quotes stay unless it is one that needs none.
    const isPlain = kind === 'kept' && /^"[a-z_][a-z0-9_]*"$/.test(word)
    const bare = isPlain ? word.slice(1, -1) : word
    words.push(kind === 'masked' ? '?' : isPlain && !keywords.has(bare) ? bare : bare.toLowerCase())
  }
  return words
}

/** Names before AS ( …: `WITH name AS MATERIALIZED (`, `WITH name (a, b) AS (`. */
function namesOfWith(words: readonly string[]): string[] {
  if (!words.includes('with')) return []
  return words.flatMap((word, at) => {
    if (word !== 'as') return []
    const after = words.slice(at + 1, at + 4).filter((one) => one !== 'not' && one !== 'materialized')
    if (after[0] !== '(') return []
    const before = words[at - 1] === ')' ? words.lastIndexOf('(', at) - 1 : at - 1
    return words[before] ?? []
  })
}

/** Relations after FROM, JOIN and a comma between them, as `schema.name`; functions end in `()`. */
function relationsIn(words: readonly string[]): string[] {
  const found: string[] = []
  /** One for each open parenthesis: whether we are in a FROM there. */
  const levels = [{ inFrom: false, isArgument: false }]
  let expected = false
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    const level = levels.at(-1) ?? { inFrom: false, isArgument: false }
    if (word === '(') {
      const opens = ['select', 'with', 'values', '('].includes(words[at + 1] ?? '') ? words[at + 1] : null
      const isArgument = ['extract', 'substring', 'trim', 'overlay', 'position'].includes(words[at - 1] ?? '')
      const continues: boolean = expected && (opens === null || opens === '(')
      levels.push({ inFrom: continues, isArgument })
      expected = continues
      continue
    }
    if (word === ')') {
      if (levels.length > 1) levels.pop()
      expected = false
      continue
    }
    if (expected) {
      if (['lateral', 'only', 'rows', 'from'].includes(word)) continue
      if (['select', 'with', 'values'].includes(word)) {
        expected = false
        continue
      }
      let name = word
      while (words[at + 1] === '.') {
        name += `.${words[at + 2] ?? ''}`
        at += 2
      }
      found.push(words[at + 1] === '(' ? calledAs(name) : name)
      expected = false
    } else if (word === 'from' && !level.isArgument && words[at - 1] !== 'distinct') {
      level.inFrom = true
      expected = true
    } else if (word === 'join' || word === 'table' || (word === ',' && level.inFrom)) {
      expected = true
    } else if (endsFrom.has(word)) level.inFrom = false
  }
  return found
}

const endsFrom = new Set(
  'where group having window order limit offset fetch for union intersect except select'.split(' '),
)

/** A function in FROM: one of PostgreSQL's own under the name of what it reads, as `pg_stat_get_activity`. */
function calledAs(name: string): string {
  const bare = name.replace(/^pg_catalog\./, '')
  return isCatalog(bare) ? name : `${bare}()`
}
