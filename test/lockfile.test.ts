import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

type Locked = { readonly integrity?: string; readonly resolved?: string; readonly link?: boolean }

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'))
const locked = Object.entries<Locked>(lock.packages)
/** Of the others, the project itself and its workspaces, the source is here. */
const fromRegistry = locked.filter(([path, { link }]) => /(^|\/)node_modules\//.test(path) && !link)

it('package-lock.json holds a checksum of each package that npm fetches', () => {
  expect(fromRegistry.length).toBeGreaterThan(200)
  const without = fromRegistry.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))
  expect(without.map(([path]) => path)).toEqual([])
})

it('package-lock.json names no registry: each machine asks its own', () => {
  const named = locked.filter(([, { resolved }]) => resolved?.includes(':'))
  expect(named.map(([path]) => path)).toEqual([])
})
