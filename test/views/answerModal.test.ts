import { checkView } from 'slack-workspace'
import { expect, it } from 'vitest'
import { answerModal, pickerModal, saidModal, waitingModal } from '../../src/views/answerModal.ts'
import { pidsView } from '../../src/views/answers/pids.ts'
import { table } from '../../src/views/kit.ts'
import { checkView as checkMessage } from '../support/asking.ts'
import { session, waiting } from '../support/builders.ts'
import { told } from '../support/render.ts'

it('draws tables as lines, and no more blocks than a modal takes', () => {
  const view = answerModal([
    table([
      ['PID', 'Who', 'Statement'],
      ['1', 'web', 'SELECT'],
      ['2', '', 'COMMIT'],
    ]),
    table([['PID']]),
    ...Array.from({ length: 200 }, () => ({ type: 'divider' as const })),
  ])
  checkView(view, 'modal')
  expect(told(view.blocks.slice(0, 1))).toBe('1 · web · SELECT\n2 · COMMIT')
  checkView(waitingModal(), 'modal')
  checkView(saidModal([]), 'modal')
})

it.each([1, 100, 101, 500])('lets choose among %i clusters', (many) => {
  const view = pickerModal(Array.from({ length: many }, (_, n) => `cluster-${n}`))
  checkView(view, 'modal')
  expect(JSON.stringify(view).match(/"value":"cluster-/g)).toHaveLength(many)
})

it('shows what each PID does on each cluster, who is gone, and who cannot be seen', () => {
  const view = pidsView({
    pids: [7, 8, 9],
    several: true,
    found: [
      { cluster: 'orders', sessions: [waiting(8, 40, { query: 'UPDATE <a> SET b = ?' })], failure: null },
      { cluster: 'billing', sessions: [session(8)], failure: null },
      { cluster: 'far', sessions: [], failure: 'Nothing listens there.' },
    ],
  })
  checkMessage(view)
  expect(told(view.blocks).split('\n')).toEqual([
    'PIDs of the message',
    '8 on orders · web · shop · orders · active for 40 s · Lock/transactionid · UPDATE <a> SET b = ?',
    '8 on billing · web · shop · orders · active for 1 s',
    'No session now: 7, 9.',
    'far cannot be seen: Nothing listens there.',
    '[Show 8 on orders]',
    '[Show 8 on billing]',
  ])
  expect(pidsView({ pids: [], several: false, found: [] }).text).toContain('No PID stands in this message')
  const all = Array.from({ length: 30 }, (_, n) => n + 1)
  const many = pidsView({
    pids: all,
    several: true,
    found: Array.from({ length: 500 }, (_, n) => ({
      cluster: `c${n}`,
      sessions:
        n < 4
          ? all.map((pid) => session(pid, { applicationName: 'x'.repeat(63), query: 'y'.repeat(500) }))
          : [],
      failure: n < 4 ? null : 'No answer in time.',
    })),
  })
  checkMessage(many)
  checkView(answerModal(many.blocks), 'modal')
  expect(told(many.blocks)).toContain('100 more sessions.')
  expect(told(many.blocks)).toContain('481 more clusters cannot be seen.')
})
