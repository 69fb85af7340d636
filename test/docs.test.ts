import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { kinds } from '../src/commands/command.ts'
import { parseConfig } from '../src/config/config.ts'
import { kindNames } from '../src/domain/incidents/severity.ts'
import { helpView } from '../src/views/answers/help.ts'

const project = dirname(import.meta.dirname)
const files = [
  ...readdirSync(project).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(project, 'docs'), { recursive: true, encoding: 'utf8' }).flatMap((name) =>
    name.endsWith('.md') ? [join('docs', name)] : [],
  ),
]
const read = (file: string) => readFileSync(join(project, file), 'utf8')

/** Outside of code: a `#` in a script is no heading. */
const prose = (text: string) => text.replaceAll(/^(`{3,}).*?^\1/gms, '')
const headings = (text: string) => [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title)
/** As GitHub makes them of headings. */
const anchors = (text: string) =>
  headings(text).map((title) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

it.each(files)('%s: its links lead somewhere', (file) => {
  const links = [...prose(read(file)).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, to = '']) => to)
  const broken = links.filter((to) => {
    const [path = '', anchor] = to.split('#')
    const target = path === '' ? file : join(dirname(file), path)
    if (!existsSync(join(project, target))) return true
    return anchor !== undefined && !anchors(read(target)).includes(anchor)
  })
  expect(broken).toEqual([])
})

it.each(files)('%s: the files of the code that it names are there', (file) => {
  const named = [...read(file).matchAll(/`((?:src|packages|demo|scripts|test|bench|docs)\/[\w./-]+)`/g)].map(
    ([, path = '']) => path,
  )
  expect(named.filter((path) => !existsSync(join(project, path)))).toEqual([])
})

it('docs/diagnosis.md has a part on each kind of trouble', () => {
  const missing = Object.values(kindNames).filter(
    (name) => !headings(read('docs/diagnosis.md')).includes(name),
  )
  expect(missing).toEqual([])
})

it('README.md and /pg help know each command', () => {
  for (const text of [read('README.md'), JSON.stringify(helpView([]).blocks)])
    expect(kinds.filter((kind) => !new RegExp(`/pg ${kind}\\b`).test(text) && kind !== 'help')).toEqual([])
})

it('docs/setup.md tells problems of the configuration in the words in which they come', () => {
  const yaml = `
    slack: { channel: C0INCIDENTS }
    access: { approvers: everyone }
    clusters: [{ name: orders, url: "\${ORDERS_DATABASE_URL}" }]
    watch: { blockedfor: 10s }`
  expect.assertions(1)
  try {
    parseConfig(yaml, {})
  } catch (error) {
    expect(read('docs/setup.md')).toContain(error instanceof Error ? error.message : 'an error')
  }
})
