import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseAst } from 'vitest/node'

/**
 * The floors, from the lowest: each folder may import itself and the folders that are named here, types too. A folder that
 * is not named fails.
 */
const domain = [
  'domain/text',
  'domain/session',
  'domain/locks',
  'domain/approvals',
  'domain/incidents',
  'domain/fleet',
  'domain/lists',
  'domain/history',
  'domain/advice',
  'domain/host',
]
/** Used by whatever reaches outside, import nothing of ours. */
const own = ['backoff.ts', 'clock.ts', 'log.ts']
const edges = ['config', 'postgres', 'store', 'views', 'notify', 'commands']

const mayImport: Readonly<Record<string, readonly string[]>> = {
  'domain/text': [],
  'domain/session': ['domain/text'],
  'domain/locks': ['domain/text', 'domain/session'],
  'domain/approvals': ['domain/text', 'domain/session'],
  'domain/incidents': ['domain/text', 'domain/session', 'domain/locks', 'domain/approvals'],
  'domain/fleet': [],
  'domain/lists': ['domain/text', 'domain/session', 'domain/locks', 'domain/approvals', 'domain/incidents'],
  'domain/history': ['domain/text', 'domain/session', 'domain/locks', 'domain/approvals', 'domain/incidents'],
  'domain/host': ['domain/text', 'domain/session', 'domain/approvals'],
  'domain/advice': ['domain/text', 'domain/session', 'domain/locks', 'domain/incidents', 'domain/history'],
  'backoff.ts': [],
  'clock.ts': [],
  'log.ts': [],
  'loop.ts': ['log.ts'],
  host: domain,
  http: [...domain, 'notify'],
  config: domain,
  postgres: [...domain, ...own],
  store: [...domain, 'postgres'],
  views: domain,
  notify: [...domain, ...own, 'store', 'views'],
  commands: [...domain, 'config', 'postgres', 'views'],
  watch: [...domain, ...own, 'loop.ts', 'config', 'postgres', 'store', 'views', 'notify'],
  answers: [...domain, 'config', 'postgres', 'host', 'store', 'views', 'commands'],
  actions: [...domain, ...own, ...edges, 'host'],
  slack: [...domain, ...own, 'config', 'store', 'views', 'notify', 'commands', 'answers', 'actions'],
  api: [...domain, ...own, ...edges, 'answers', 'actions'],
  terminal: [...domain, ...own, ...edges, 'host', 'answers', 'actions', 'slack', 'api'],
  'reload.ts': [...domain, ...own, 'config', 'views', 'notify'],
  'desk.ts': [...domain, ...own, 'store', 'notify', 'commands', 'actions', 'watch'],
  'rounds.ts': [...own, 'loop.ts', 'desk.ts'],
  'closers.ts': ['log.ts'],
  'app.ts': [
    ...domain,
    ...own,
    ...edges,
    'closers.ts',
    'rounds.ts',
    'reload.ts',
    'desk.ts',
    'http',
    'watch',
    'answers',
    'actions',
    'slack',
    'api',
  ],
  'patience.ts': [...own, 'store'],
  'process.ts': ['log.ts', 'config', 'store', 'notify', 'terminal', 'patience.ts', 'app.ts'],
  'main.ts': ['process.ts'],
}

/** Who may speak to the world outside. What is not listed here, anybody but the domain may import. */
const onlyFor: Readonly<Record<string, readonly string[]>> = {
  pg: ['postgres'],
  kysely: ['store'],
  'node:sqlite': ['store'],
  '@slack/bolt': ['slack', 'log.ts'],
  '@slack/types': ['views', 'store', 'slack'],
  pino: ['log.ts'],
  yaml: ['config'],
  'prom-client': ['http'],
}

const domainMayUse = ['node:crypto']

type Import = { readonly from: string; readonly to: string }

const project = dirname(dirname(fileURLToPath(import.meta.url)))
const src = join(project, 'src')
const packages = ['slack-workspace', 'temporary-postgres']

/** `src/domain/text/mask.ts` belongs to `domain/text`, `src/views/card/card.ts` to `views`, `src/app.ts` to itself. */
function partOf(path: string): string {
  const [first = '', second] = path.split('/')
  return first === 'domain' && second?.endsWith('.ts') === false ? `${first}/${second}` : first
}

/** What a module names in `import`, `export … from` and `import(…)`. */
function namesIn(source: string): string[] {
  const statements = source.matchAll(/^(?:import|export)\s(?:[^'"]*?\sfrom\s)?["']([^"']+)["']/gm)
  const calls = source.matchAll(/\bimport\(\s*["']([^"']+)["']/g)
  return [...statements, ...calls].flatMap(([, name]) => name ?? [])
}

type Source = { readonly path: string; readonly source: string }

/** Every module below a directory, page and tests included; by its path from there. */
const sourcesIn = (directory: string): Source[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.[jt]s$/.test(path) && !path.split(sep).includes('node_modules'))
    .map((path) => ({
      path: path.replaceAll(sep, '/'),
      source: readFileSync(join(directory, path), 'utf8'),
    }))

const importsOf = (directory: string, modules: readonly Source[]): Import[] =>
  modules.flatMap(({ path, source }) =>
    namesIn(source).map((name) => ({
      from: path,
      to: name.startsWith('.')
        ? relative(directory, join(directory, dirname(path), name)).replaceAll(sep, '/')
        : name,
    })),
  )

const sources = sourcesIn(src)
const imports: readonly Import[] = importsOf(src, sources)

const isOurs = ({ to }: Import): boolean => to.endsWith('.ts')

/** `kysely/migration` is of the package `kysely`, `@slack/bolt` is one of its own. */
const packageOf = (name: string): string => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name

const arrows = (wrong: readonly Import[]) => wrong.map(({ from, to }) => `${from} → ${to}`)

describe('imports', () => {
  it('are found at all', () => {
    expect(arrows(imports)).toEqual(
      expect.arrayContaining(['process.ts → app.ts', 'store/migrations.ts → kysely/migration']),
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
    expect(arrows(wrong)).toEqual([])
  })

  it('keep the domain pure', () => {
    const wrong = imports
      .filter((one) => one.from.startsWith('domain/') && !isOurs(one))
      .filter(({ to }) => !domainMayUse.includes(to))
    expect(arrows(wrong)).toEqual([])
  })

  it('stay in src: nothing of packages, demo or scripts', () => {
    const outside = imports.filter(({ to }) => to.startsWith('../') || packages.includes(packageOf(to)))
    // Its version.
    expect(arrows(outside.filter(({ to }) => to !== '../package.json'))).toEqual([])
  })

  it('reach the world outside in one place each', () => {
    const wrong = imports
      .filter((one) => !isOurs(one))
      .filter(({ from, to }) => onlyFor[packageOf(to)]?.includes(partOf(from)) === false)
    expect(arrows(wrong)).toEqual([])
  })
})

describe('the packages', () => {
  it('are all known here', () => {
    expect(readdirSync(join(project, 'packages')).sort()).toEqual(packages)
  })

  it.each(packages)('%s imports what its package.json names, and nothing outside its directory', (name) => {
    const directory = join(project, 'packages', name)
    const modules = sourcesIn(directory)
    const { dependencies } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
    const forTests = ['vitest', 'playwright-core', 'axe-core', '@slack/bolt']
    const wrong = importsOf(directory, modules).filter(({ from, to }) => {
      if (/\.[jt]s$/.test(to)) return /^(\.\.)?\//.test(to)
      if (to.startsWith('node:')) return false
      const outside = packageOf(to)
      return (
        !Object.hasOwn(dependencies, outside) && !(from.startsWith('test/') && forTests.includes(outside))
      )
    })
    expect(modules.length).toBeGreaterThan(5)
    expect(arrows(wrong)).toEqual([])
  })

  it.each(packages)('%s knows nothing of this bot and its demo', (name) => {
    const directory = join(project, 'packages', name)
    const texts = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
      .map(({ parentPath, name: file }) => ({ file, text: readFileSync(join(parentPath, file), 'utf8') }))
    const wrong = texts.filter(({ text }) => /marshal|practice[ -]room/i.test(text))
    expect(wrong.map(({ file }) => file)).toEqual([])
  })
})

describe('the files', () => {
  it.each(['src', 'packages', 'demo', 'scripts', 'bench', 'test'])('of %s are named in camelCase', (name) => {
    const files = sourcesIn(join(project, name)).map(({ path }) => path)
    expect(files.length).toBeGreaterThan(0)
    expect(files.filter((path) => !/(^|\/)[a-z][a-zA-Z0-9]*(\.[a-z]+)?\.[jt]s$/.test(path))).toEqual([])
  })

  it('import each other in no circle', () => {
    const next = Map.groupBy(imports.filter(isOurs), ({ from }) => from)
    const finished = new Set<string>()
    const circles: string[] = []
    const walk = (file: string, path: readonly string[]) => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
      if (path.includes(file) || finished.has(file)) return
      for (const { to } of next.get(file) ?? []) walk(to, [...path, file])
      finished.add(file)
    }
    for (const file of next.keys()) walk(file, [])
    expect(circles).toEqual([])
  })

  it('export no name that another one exports too', () => {
    const exported = sources.flatMap(({ path, source }) =>
      [...source.matchAll(/^export (?:async )?(?:function\*?|const|let|type|class|interface) (\w+)/gm)].map(
        ([, name = '']) => ({ name, path }),
      ),
    )
    const twice = [...Map.groupBy(exported, ({ name }) => name)].filter(([, places]) => places.length > 1)
    expect(twice.map(([name, places]) => `${name}: ${places.map(({ path }) => path).join(', ')}`)).toEqual([])
  })
})

/** A node of a parsed file: a function, where it has `params`. */
type Node = {
  readonly type: string
  readonly start: number
  readonly id?: { readonly name: string } | null
  readonly params?: readonly unknown[]
  readonly declaration?: Node | null
  readonly declarations?: readonly Node[]
  readonly init?: Node | null
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'

/** A node and all that is in it. */
const nodesIn = (value: unknown): Node[] =>
  Array.isArray(value)
    ? value.flatMap(nodesIn)
    : isNode(value)
      ? [value, ...Object.values(value).flatMap(nodesIn)]
      : []

const parsed = (source: string): Node[] => nodesIn(parseAst(source, { lang: 'ts' }))

/** The lines at which a function, a method or the type of one takes more values than four. */
const crowdedIn = (source: string): number[] =>
  parsed(source)
    .filter(({ type, params = [] }) => /Function|Signature|Constructor/.test(type) && params.length > 4)
    .map(({ start }) => source.slice(0, start).split('\n').length)

/** The exported functions `create…` that take more than one value. */
const factoriesIn = (source: string): string[] =>
  parsed(source)
    .filter(({ type }) => type === 'ExportNamedDeclaration')
    .flatMap(({ declaration }) => declaration?.declarations ?? declaration ?? [])
    .filter(({ params, init }) => (params ?? init?.params ?? []).length > 1)
    .flatMap(({ id }) => id?.name ?? [])
    .filter((name) => name.startsWith('create'))

describe('functions', () => {
  it('are found, however they are written', () => {
    const five = '(\n  a,\n  b = [1, 2],\n  { c },\n  d: () => void,\n  ...e\n)'
    for (const of of ['function f', 'class C { f', 'const f = async ', 'const f = { f', 'let f = function '])
      expect(
        crowdedIn(
          `\n${of}${five}${of.includes('async') ? ' =>' : ''} {}${'}'.repeat(of.split('{').length - 1)}`,
        ),
      ).toEqual([2])
    for (const type of ['type F = (a, b, c, d, e) => void', 'type F = { f(a, b, c, d, e): void }'])
      expect(crowdedIn(type)).toEqual([1])
    expect(crowdedIn('const f = (a, b, c, d): T<1, 2, 3, 4, 5> => f(1, 2, 3, 4, 5)')).toEqual([])
    expect(factoriesIn('export const createA = (a, b) => a\nexport function createB(a, b) {}')).toEqual([
      'createA',
      'createB',
    ])
    expect(factoriesIn('export function createA({ a, b }) {}\nconst createB = (a, b) => a')).toEqual([])
  })

  it.each(['src', 'packages', 'demo', 'scripts', 'bench', 'test/support'])(
    'of %s take four values at most',
    (name) => {
      const crowded = sourcesIn(join(project, name)).flatMap(({ path, source }) =>
        crowdedIn(source).map((line) => `${path}:${line}`),
      )
      expect(crowded).toEqual([])
    },
  )

  it('that create take what they need in one object', () => {
    const wrong = sources.flatMap(({ path, source }) => factoriesIn(source).map((name) => `${path}: ${name}`))
    expect(wrong).toEqual([])
  })
})

describe('the clock', () => {
  it('is a parameter, but where all is wired', () => {
    const clocks = /\bDate\.now\b|\bperformance\.now\b|\bnew Date\(\)/
    const wired = ['app.ts', 'process.ts']
    expect(sources.filter(({ source }) => clocks.test(source)).map(({ path }) => path)).toEqual(wired)
  })
})

describe('a proposal', () => {
  it('is added and changed in one place, by the steps of transitions.ts', () => {
    const changes = sources.filter(({ source }) => /\bproposals\.(add|swap)\(/.test(source))
    expect(changes.map(({ path }) => path)).toEqual(['notify/advance.ts'])
  })
})

describe('docs/architecture.md', () => {
  const page = readFileSync(join(project, 'docs/architecture.md'), 'utf8')

  it('has each part of the house', () => {
    const named = (part: string) => page.includes(`\`src/${part}${part.endsWith('.ts') ? '' : '/'}\``)
    expect(Object.keys(mayImport).filter((part) => !named(part))).toEqual([])
  })

  it('draws each change of a proposal', () => {
    const source = readFileSync(join(src, 'domain/approvals/transitions.ts'), 'utf8')
    const changes = [...source.matchAll(/^export (?:function|const) (\w+)/gm)].map(([, name = '']) => name)
    expect(changes.length).toBeGreaterThan(9)
    expect(changes.filter((name) => !new RegExp(`--> \\w+: ${name}\\b`).test(page))).toEqual([])
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

describe('docstrings', () => {
  /** Words that begin half a sentence: a reader learns only at its end what the thing is or does. */
  const halves = /^(?:What|How|Whether|That|Of|Who|Whose|Whom|Where|If|When|Which|Why)\b/
  const root = fileURLToPath(new URL('..', import.meta.url))
  const files = ['src', 'packages', 'demo', 'scripts', 'bench', 'test/support'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => join(folder, file))
      .filter((file) => /\.(?:ts|js)$/.test(file) && !file.includes('node_modules')),
  )

  it('begin with a verb (functions) or a noun (types)', () => {
    const found = files.flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/\/\*\*\s+(?:\*\s+)?([^\n]*)/g)]
        .filter(([, sentence = '']) => halves.test(sentence))
        .map(([, sentence]) => `${file}: ${sentence}`),
    )
    expect(files.length).toBeGreaterThan(300)
    expect(found).toEqual([])
  })
})
