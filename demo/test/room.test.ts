import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  hasBrowser,
  listenForProblems,
  openBrowser,
  seriousFaults,
} from '../../packages/slack-workspace/test/browser.ts'
import { waitFor } from '../../test/support/postgres.ts'
import { openPracticeRoom, type PracticeRoom } from '../room.ts'

const channel = 'C0INCIDENTS'

describe.skipIf(!hasBrowser)('the practice room, in a browser', () => {
  let room: PracticeRoom
  let browser: Browser
  let page: Page
  const problems: string[] = []

  beforeAll(async () => {
    ;[room, browser] = await Promise.all([openPracticeRoom(), openBrowser()])
  })
  beforeEach(async () => {
    page = await browser.newPage({ locale: 'en-GB', viewport: { width: 1440, height: 900 } })
    page.setDefaultTimeout(20_000)
    listenForProblems(page, problems)
  })
  afterEach(async () => {
    await page.close()
    await room.director.stopAll()
    expect(problems.splice(0)).toEqual([])
  })
  afterAll(async () => {
    await browser?.close()
    await room?.stop()
  })

  const open = async () => {
    await page.goto(room.url)
    // A module of its own, after the workspace.
    await page.locator('.server-toggle').waitFor()
    await page.getByRole('button', { name: 'incidents' }).click()
  }
  const become = (user: string) => page.getByLabel('Act as').selectOption(user)
  const sentence = () => page.locator('#panel .server').first().locator('.sentence')
  /** The pid of a session, as the server's own view has it. */
  const pidOf = async (name: string): Promise<number> => {
    await waitFor(() => room.view().nodes.some((node) => node.name === name), name)
    return room.view().nodes.find((node) => node.name === name)?.pid ?? 0
  }

  it.each([
    ['light', 'by pointer'],
    ['dark', 'by keyboard alone'],
  ] as const)(
    'the whole job, %s, %s: the card, its details, a guest refused, approved, confirmed, and the graph clears',
    async (colorScheme, how) => {
      await page.emulateMedia({ colorScheme })
      await open()
      const use = (button: Locator) => (how === 'by pointer' ? button.click() : button.press('Enter'))
      await page.evaluate(countSteps)
      await use(page.locator('[data-trouble="row-queue"]'))
      const checkout = await pidOf('checkout')
      await sentence().getByText(`6 sessions wait behind checkout (${checkout})`).waitFor()
      expect(await page.locator('.graph .link').count()).toBe(6)
      expect(await page.locator('.graph .dot.root .name').textContent()).toBe('checkout')
      // It moves: nothing jumps to where it is going to stand.
      await waitFor(
        async () => Number(await page.evaluate('window.steps()')) > 8,
        'a dot goes its way in steps',
      )

      const card = page.locator('.message', { hasText: `terminate checkout (${checkout})` }).first()
      await use(card.getByRole('button', { name: 'Details' }))
      const details = page.getByRole('dialog', { name: 'Details' })
      await details.getByText(`a.pid = ${checkout}`).waitFor()
      await use(details.getByRole('button', { name: 'Close', exact: true }).last())
      await details.waitFor({ state: 'detached' })

      const approve = card.getByRole('button', { name: `Approve: terminate checkout (${checkout})` })
      const confirm = async () => {
        await use(approve)
        await use(page.getByRole('dialog').getByRole('button', { name: 'Terminate' }))
      }
      await become('U0GUEST')
      const refusals = page.locator('.whisper', { hasText: /guests may not/i })
      const before = await refusals.count()
      await confirm()
      await waitFor(async () => (await refusals.count()) > before, 'the guest is refused')
      await become('U0DANA')
      await use(approve)
      if (how === 'by pointer') await page.getByRole('dialog').getByRole('button').first().click()
      else await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      await sentence().getByText('6 sessions wait').waitFor()

      await confirm()
      await sentence().getByText('Nobody waits for a lock.').waitFor()
      await page
        .locator('.message', { hasText: /is gone after \d+\sms/ })
        .first()
        .waitFor()
      await waitFor(async () => (await page.locator('.graph .link').count()) === 0, 'the links are gone')
      await page.locator('.chip.over').waitFor()
      expect(await page.locator('.graph .dot.root:not(.gone)').count()).toBe(0)
    },
  )

  it('by keyboard alone: starts trouble, orders a fault, plays a game day and gives it up', async () => {
    await open()
    const press = async (name: string, key = 'Enter') =>
      page.getByRole('button', { name, exact: true }).press(key)
    await page.locator('[data-trouble="advisory-lock"]').press('Enter')
    await sentence().getByText('5 sessions wait behind nightly-sync').waitFor()
    await page.getByText('As a list').press('Enter')
    await page
      .locator('.as-list')
      .getByText(/worker-3 .* waits .* behind/)
      .waitFor()

    await page.getByRole('tab', { name: 'Trouble' }).press('ArrowRight')
    const hang = page.getByRole('switch', { name: 'Hang' })
    await hang.press('Space')
    await sentence().getByText('The server does not answer.').waitFor()
    expect(await hang.getAttribute('aria-checked')).toBe('true')
    await hang.press('Space')
    await sentence().getByText('5 sessions wait').waitFor()

    await press('Play')
    await page.getByText('Covered while the game day is on.').waitFor()
    await page.locator('.gameday blockquote').waitFor()
    await press('Peek')
    await page.locator('.stage').first().waitFor()
    await press('Give up')
    await page.getByText('Given up:').waitFor()
    await press('Play again')
    await press('Give up')
  })

  it('people: a group is changed, a channel archived, and the workspace follows', async () => {
    const groupMembers = async () => {
      const state = (await (await fetch(`${room.url}/control/state`)).json()) as {
        userGroups: { users: string[] }[]
      }
      return state.userGroups.flatMap(({ users }) => users)
    }
    await open()
    await page.getByRole('tab', { name: 'People' }).click()
    const group = page.locator('.order', { hasText: '@dba-oncall' })
    await group.getByLabel('Riley').check()
    await waitFor(async () => (await groupMembers()).includes('U0RESP'), 'Riley is in the group')
    const random = page.locator('.order', { hasText: '#random' })
    await random.getByLabel('archived').check()
    await page.locator('#sidebar').getByText('(archived)').waitFor()
    await random.getByLabel('archived').uncheck()
    await group.getByLabel('Riley').uncheck()
  })

  it('survives a restart of the server, and Slack that is down', async () => {
    await open()
    await page.getByRole('tab', { name: 'Faults' }).click()
    const down = page.getByRole('switch', { name: 'Down' })
    await down.click()
    await waitFor(() => room.workspace.sockets() === 0, 'no socket is open')
    await down.click()
    await waitFor(() => room.workspace.sockets() > 0, 'the bot is back')
    await page.getByRole('button', { name: 'Do it: Restart' }).click()
    await sentence().getByText('Nobody waits for a lock.').waitFor()
    await page.getByRole('combobox', { name: 'Message #incidents' }).fill('/pg clusters')
    await page.keyboard.press('Enter')
    await page
      .locator('.message', { hasText: /orders/ })
      .last()
      .waitFor()
  })

  it.each([
    ['light', 1440],
    ['dark', 1440],
    ['light', 390],
  ] as const)('axe finds nothing serious: %s, %i pixels wide', async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 900 })
    await page.goto(`${room.url}/?as=U0DANA`)
    await page.getByRole('heading', { name: 'incidents' }).waitFor()
    await room.director.start('migration')
    const approve = page.getByRole('button', { name: /^Approve/ }).first()
    await approve.waitFor()
    expect(await seriousFaults(page)).toEqual([])

    await approve.click()
    await page.getByRole('dialog').waitFor()
    expect(await seriousFaults(page)).toEqual([])
    await page.keyboard.press('Escape')
    if (width < 1000) await page.getByRole('button', { name: /^The server/ }).click()
    for (const tab of ['Faults', 'People']) {
      await page.getByRole('tab', { name: tab }).click()
      expect(await seriousFaults(page)).toEqual([])
    }
    const overflow = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
    expect(overflow).toBeLessThanOrEqual(0)
  })

  it('draws nothing that moves for those who asked for calm', async () => {
    await page.emulateMedia({ reducedMotion: 'reduce' })
    await open()
    await room.director.start('chain')
    await sentence().getByText('4 sessions wait').waitFor()
    const animation = await page.evaluate("getComputedStyle(document.querySelector('.link')).animationName")
    expect(animation).toBe('none')
  })

  it('a standby falls behind: it comes with its own picture, channel and cards, and a cancel there lets replay go on', async () => {
    await open()
    await become('U0DANA')
    await page.locator('[data-trouble="standby-conflict"]').click()
    const standby = page.getByRole('region', { name: 'Its standby' })
    const told = standby.getByRole('status')
    // A standby is copied and started first, which takes its time on a busy machine.
    await told.getByText(/^5 sessions wait behind yearly-report/).waitFor({ timeout: 45_000 })
    await sentence().getByText('Nobody waits for a lock.').waitFor()
    await page.getByRole('button', { name: /orders-standby/ }).click()
    await page.getByRole('button', { name: /^Approve: cancel/ }).click()
    await page.getByRole('dialog').getByRole('button').last().click()
    await told.getByText('Nobody waits for a lock.').waitFor()
    await page
      .locator('.message', { hasText: /Resolved/ })
      .first()
      .waitFor()
    // In #incidents one still asks about the primary.
    await page.getByRole('button', { name: 'incidents' }).click()
    await page.getByRole('combobox', { name: 'Message #incidents' }).fill('/pg sessions')
    await page.keyboard.press('Enter')
    await page
      .locator('.message', { hasText: /^(?!.*standby).*Sessions on orders/s })
      .last()
      .waitFor()
  })

  it('a file that the bot uploads stands in the channel', async () => {
    const post = async (path: string, body: Record<string, string>) => {
      const response = await fetch(`${room.workspace.env.SLACK_API_URL}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${room.workspace.tokens.bot}` },
        body: new URLSearchParams(body),
      })
      return (await response.json()) as Record<string, string>
    }
    room.workspace.setScopes(['files:write'])
    const text = 'pid,name\n1,<b>not HTML</b>\n'
    const { upload_url, file_id } = await post('files.getUploadURLExternal', {
      filename: 'sessions.csv',
      length: String(text.length),
    })
    await fetch(upload_url ?? '', { method: 'POST', body: text })
    const files = JSON.stringify([{ id: file_id, title: 'Sessions' }])
    expect(await post('files.completeUploadExternal', { files, channel_id: channel })).toMatchObject({
      ok: true,
    })
    expect(await post('files.completeUploadExternal', { files, channel_id: channel })).toMatchObject({
      ok: false,
      error: 'file_not_found',
    })
    await open()
    expect(await page.locator('.file pre').textContent()).toBe(text)
  })
})

/** Counts in how many places the dot that has moved most was seen. */
const countSteps = `{
  const places = new Map()
  const note = ({ target }) => {
    if (!places.has(target)) places.set(target, new Set())
    places.get(target).add(target.getAttribute('transform'))
  }
  new MutationObserver((changes) => changes.forEach(note)).observe(document.querySelector('.graph'), {
    attributeFilter: ['transform'],
    subtree: true,
  })
  window.steps = () => Math.max(0, ...[...places.values()].map((seen) => seen.size))
}`
