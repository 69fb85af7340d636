import { existsSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createAuthenticator } from '../../src/actions/authenticator.ts'
import { parseConfig } from '../../src/config/config.ts'
import { freshMemory } from '../../src/domain/approvals/secondFactor.ts'
import { openStore, type Store, type StoreSettings } from '../../src/store/store.ts'
import { checkCodes } from '../../src/terminal/doctorCodes.ts'
import { readMemory } from '../../src/terminal/doctorMemory.ts'
import { phoneOf, runEnroll, secret } from '../support/codes.ts'
import { type StorePlace, storePlaces } from '../support/store.ts'

const roomOn = (settings: StoreSettings, over: Record<string, unknown> = {}, key: string = secret) => ({
  env: { PG_MARSHAL_SECRET: key },
  yaml: JSON.stringify({
    slack: { channel: 'C0INCIDENTS' },
    access: { approvers: ['U0DANA', 'U0DEVI', 'S0DBAONCALL'] },
    clusters: [{ name: 'orders', url: 'postgres://marshal@localhost/orders' }],
    store: { url: settings.kind === 'sqlite' ? `sqlite:${settings.path}` : settings.url },
    ...over,
  }),
})

describe.each(storePlaces)('enroll on a store in %s', (_, makePlace) => {
  let place: StorePlace
  let settings: StoreSettings
  let room: ReturnType<typeof roomOn>

  beforeAll(async () => {
    place = await makePlace()
  })
  afterAll(() => place.close())
  beforeEach(async () => {
    settings = await place.empty()
    room = roomOn(settings)
  })

  it('shows the address and a QR code once, and stores neither', async () => {
    const { code, out } = await runEnroll(room, 'add', 'U0DANA')
    expect(code).toBe(0)
    expect(out).toMatch(/^█+\n(?:[█▀▄ ]+\n)+/)
    const shown = /secret=([A-Z2-7]+)/.exec(out)?.[1] ?? ''
    const store = await openStore(settings)
    const row = await store.secondFactors.get('U0DANA')
    expect(row?.sealed).not.toContain(shown)
    const opened = await createAuthenticator(secret).open('U0DANA', row?.sealed ?? '')
    const step = Math.floor(Date.now() / 30_000)
    expect([opened?.codeAt(step), opened?.codeAt(step - 1)]).toContain(phoneOf(out).code())
    expect(JSON.stringify(await store.journal.latest(9))).not.toContain(shown)
    await store.close()
  })

  it('enrols nobody twice, and leaves the first as it was', async () => {
    await runEnroll(room, 'add', 'U0DANA')
    const store = await openStore(settings)
    const before = await store.secondFactors.get('U0DANA')
    await store.close()
    const { code, out, err } = await runEnroll(room, 'add', 'U0DANA')
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/^U0DANA is enrolled already, and nothing was changed\./)
    const after = await openStore(settings)
    expect(await after.secondFactors.get('U0DANA')).toEqual(before)
    await after.close()
  })

  it('lists and removes, and each change is in the journal', async () => {
    expect(await runEnroll(room, 'list')).toMatchObject({ code: 0, out: 'Nobody is enrolled.\n' })
    await runEnroll(room, 'add', 'U0DEVI')
    await runEnroll(room, 'add', 'U0DANA')
    expect((await runEnroll(room, 'list')).out).toMatch(
      /^U0DANA {2}enrolled \S+ \S+ UTC\nU0DEVI {2}enrolled \S+ \S+ UTC\n$/,
    )
    expect(await runEnroll(room, 'remove', 'U0DANA')).toMatchObject({ code: 0 })
    expect(await runEnroll(room, 'remove', 'U0DANA')).toMatchObject({
      code: 1,
      out: 'U0DANA was not enrolled.\n',
    })
    const store = await openStore(settings)
    const events = (await store.journal.latest(9)).map(({ event }) => event)
    expect(events).toMatchObject([
      { kind: 'enrolled', userId: 'U0DEVI' },
      { kind: 'enrolled', userId: 'U0DANA' },
      { kind: 'unenrolled', userId: 'U0DANA' },
    ])
    await store.close()
  })

  it.each(['S0DBAONCALL', 'dana', '', 'U0DANA; DROP'])('takes no %o', async (userId) => {
    const { code, err } = await runEnroll(room, 'add', userId)
    expect(code).toBe(2)
    expect(err).toMatch(/is no user id/)
  })

  it('needs the key, and touches no store without', async () => {
    const without = { ...room, env: {} as Record<string, string> }
    await expect(runEnroll(without, 'add', 'U0DANA')).rejects.toThrow(/^PG_MARSHAL_SECRET is not set/)
    expect(await runEnroll(without, 'list')).toMatchObject({ code: 0 })
    if (settings.kind === 'sqlite') expect(existsSync(settings.path)).toBe(true)
  })

  describe('beside a bot that works with it', () => {
    let bot: Store
    beforeEach(async () => {
      bot = await openStore(settings, {})
    })
    afterEach(() => bot.close())

    it('changes nothing else of it: the bot goes on, and its journal holds', async () => {
      const made = { kind: 'expired', actor: 'pg-marshal', proposalId: 'p' } as const
      const writing = Array.from({ length: 20 }, (_, n) => bot.journal.append(n, null, made))
      const { code } = await runEnroll(room, 'add', 'U0DANA')
      expect(code).toBe(0)
      await Promise.all(writing)
      await bot.probe()
      await bot.journal.append(99, null, made)
      expect((await bot.journal.latest(99)).map(({ seq }) => seq)).toEqual(
        Array.from({ length: 22 }, (_, n) => n + 1),
      )
      expect(await bot.secondFactors.get('U0DANA')).toMatchObject({ lastStep: null, wrong: 0 })
    })
  })

  it('lets doctor say who must enrol, again or at all', async () => {
    const asking = { approvals: { secondFactor: { terminate: true }, breakGlass: { who: ['U0RESP'] } } }
    const checked = async (key?: string) => {
      const { yaml, env } = roomOn(settings, asking, key)
      const config = parseConfig(yaml, env)
      return (await checkCodes(config, await readMemory(config.store))).map(
        ({ what, fix, needed = true }) => `${fix ? (needed ? '✗' : '!') : '✓'} ${what}`,
      )
    }
    const missing = (userId: string) => `! ${userId} may approve, but is not enrolled for codes`
    expect(await checked()).toEqual(['U0DANA', 'U0DEVI', 'U0RESP'].map(missing))
    await runEnroll(room, 'add', 'U0DANA')
    expect(await checked()).toEqual(['✓ U0DANA is enrolled', missing('U0DEVI'), missing('U0RESP')])
    expect((await checked('another key, as long as it'))[0]).toBe(
      '✗ U0DANA was enrolled with another PG_MARSHAL_SECRET and must enrol again',
    )
    expect(await checked('short')).toEqual(['✗ PG_MARSHAL_SECRET is not usable'])
  })

  it('gives a code to one of many at the same time, whatever each has read', async () => {
    const store = await openStore(settings, {})
    await store.secondFactors.enroll({ userId: 'U0DANA', sealed: 'x', enrolledAt: 1, ...freshMemory })
    const before = await store.secondFactors.get('U0DANA')
    if (!before) throw new Error('not enrolled')
    const swaps = await Promise.all(
      Array.from({ length: 20 }, () =>
        store.atomically(({ secondFactors }) => secondFactors.swap(before, { ...freshMemory, lastStep: 7 })),
      ),
    )
    expect(swaps.filter(Boolean)).toHaveLength(1)
    await store.close()
  })
})
