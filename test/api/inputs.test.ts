import { expect, it } from 'vitest'
import { proposeInput } from '../../src/api/inputs.ts'
import { hostStartOf } from '../../src/domain/host/identity.ts'

it('a proposal may name the start of a process that only the operating system showed', () => {
  const longest = { pid: 4_194_304, startTicks: '9'.repeat(12), bootId: crypto.randomUUID() }
  const input = {
    ...{ cluster: 'orders', pid: 4312, action: 'terminate', reason: 'it hangs' },
    backendStart: hostStartOf(longest, longest),
  }
  expect(proposeInput.parse(input)).toMatchObject(input)
})
