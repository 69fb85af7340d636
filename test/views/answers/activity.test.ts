import { expect, it } from 'vitest'
import { transcript } from '../../support/asking.ts'
import * as of from '../../support/builders.ts'

const sessions = [
  of.session(1),
  of.session(2, { waitEventType: 'IO', waitEvent: 'DataFileRead', usename: 'report', applicationName: '' }),
  of.waiting(3, 40),
  of.idle(4, 10),
  of.idle(5, 400, { datname: 'billing' }),
  of.serverProcess(7, 'checkpointer'),
]

it('counts by everything, most first', async () => {
  expect(await transcript('activity', of.picture(sessions))).toMatchInlineSnapshot(`
    "Activity on orders
    5 sessions.
    - State: 3 active, 2 idle.
    - Waits for: 2 Client/ClientRead, 1 IO/DataFileRead, 1 Lock/transactionid, 1 nothing (they work).
    - User: 4 shop, 1 report.
    - Application: 4 web, 1 no application name.
    - Database: 4 orders, 1 billing.
    - Server processes: 1 checkpointer.
    3 active · 2 idle · 0 idle in transaction · 1 waiting for a lock · 7 of 100 connections used (7 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
  `)
})

it('counts those that match the filters', async () => {
  expect(await transcript('activity --state idle --older 5m', of.picture(sessions))).toMatchInlineSnapshot(`
    "Activity on orders
    1 of 5 sessions match --state idle --older 5m.
    - State: 1 idle.
    - Waits for: 1 Client/ClientRead.
    - User: 1 shop.
    - Application: 1 web.
    - Database: 1 billing.
    3 active · 2 idle · 0 idle in transaction · 1 waiting for a lock · 7 of 100 connections used (7 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
  `)
  expect(await transcript('activity --app nobody', of.picture([]))).toMatchInlineSnapshot(`
    "Activity on orders
    0 of 0 sessions match --app nobody.
    0 active · 0 idle · 0 idle in transaction · 0 waiting for a lock · 2 of 100 connections used (2 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
  `)
})

it('names the most and counts the rest', async () => {
  const many = Array.from({ length: 40 }, (_, index) =>
    of.session(index + 1, { applicationName: `job\n${index % 20}`, usename: 'x'.repeat(63) }),
  )
  const lines = (await transcript('activity', of.picture(many))).split('\n')
  expect(lines.filter((line) => /Application|User/.test(line))).toMatchInlineSnapshot(`
    [
      "- User: 40 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx….",
      "- Application: 2 job 0, 2 job 1, 2 job 10, 2 job 11, 2 job 12, 2 job 13, 2 job 14, 2 job 15, and 12 others (24 in all).",
    ]
  `)
})

it('says that it cannot see', async () => {
  const blind = of.picture(
    [of.session(1, { state: null, backendType: '' })],
    { kind: 'none' },
    { server: of.server({ seesOthers: false }) },
  )
  expect(await transcript('activity', blind)).toMatchInlineSnapshot(`
    "Activity on orders
    pg-marshal may not see other sessions on orders, so this picture says nothing about them.
    Its role is no member of pg_monitor. As a superuser: GRANT pg_monitor TO …
    1 process, not to be seen.
    How many sessions and connections there are is not to be seen. As of 2026-03-01 03:00:00 UTC, 2 s old."
  `)
})
