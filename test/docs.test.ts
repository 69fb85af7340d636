import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { kindNames } from '../src/domain/severity.ts'

const project = dirname(import.meta.dirname)
const files = [
  ...readdirSync(project).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(project, 'docs')).flatMap((name) => (name.endsWith('.md') ? [join('docs', name)] : [])),
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

it('docs/diagnosis.md has a part on each kind of trouble', () => {
  const missing = Object.values(kindNames).filter(
    (name) => !headings(read('docs/diagnosis.md')).includes(name),
  )
  expect(missing).toEqual([])
})
