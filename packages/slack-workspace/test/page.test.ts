import type { App } from '@slack/bolt'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createWorkspace, type Workspace } from '../src/index.ts'
import { startBolt } from './bolt.ts'
import { hasBrowser, listenForProblems, openBrowser, withoutBrowser } from './browser.ts'
import { manifest } from './manifest.ts'

const pageModule = (name: string) => import(new URL(`../page/${name}`, import.meta.url).href)

test.each([
  [
    'help | sessions | session PID',
    ['/ask help', '/ask sessions', '/ask session PID'],
    ['/ask help', '/ask sessions', '/ask session '],
  ],
  ['help · cancel PID [reason]', ['/ask help', '/ask cancel PID [reason]'], ['/ask help', '/ask cancel ']],
  ['[help|sessions] ', ['/ask help', '/ask sessions'], ['/ask help', '/ask sessions']],
])('completion from the usage hint %s', async (usageHint, labels, texts) => {
  const { choicesOf } = await pageModule('composer.js')
  const choices: { label: string; text: string }[] = choicesOf({ command: '/ask', usageHint })
  expect(choices.map((choice) => choice.label)).toEqual(labels)
  expect(choices.map((choice) => choice.text)).toEqual(texts)
})

if (!hasBrowser) console.log(withoutBrowser)
const channel = 'C0INCIDENTS'
const card = [
  {
    type: 'section',
    text: { type: 'mrkdwn', text: '*4711* blocks <@U0DANA>, not &lt;!channel&gt;, but <!here>' },
  },
  {
    type: 'rich_text',
    elements: [
      {
        type: 'rich_text_preformatted',
        elements: [{ type: 'text', text: '<img src=x onerror="window.hit=1"> & \'*x*\'' }],
      },
    ],
  },
  {
    type: 'actions',
    elements: [
      {
        type: 'button',
        action_id: 'approve_terminate',
        value: 'p1',
        style: 'danger',
        text: { type: 'plain_text', text: 'Approve' },
        confirm: {
          title: { type: 'plain_text', text: 'Terminate 4711?' },
          text: { type: 'mrkdwn', text: 'It is *rolled back*.' },
          confirm: { type: 'plain_text', text: 'Terminate' },
          deny: { type: 'plain_text', text: 'Not now' },
        },
      },
    ],
  },
]
const listeners = (app: App) => {
  app.command('/ask', async ({ ack, respond, client, command }) => {
    await ack()
    if (command.text !== 'why') return void (await respond(`private ${command.text}`))
    await client.views.open({
      trigger_id: command.trigger_id,
      view: {
        type: 'modal',
        callback_id: 'why',
        title: { type: 'plain_text', text: 'Why?' },
        submit: { type: 'plain_text', text: 'Propose' },
        blocks: [
          {
            type: 'input',
            label: { type: 'plain_text', text: 'Reason' },
            element: { type: 'plain_text_input', action_id: 'reason' },
          },
        ],
      },
    })
  })
  app.view('why', async ({ ack, client, view }) => {
    await ack()
    const [reason] = Object.values(view.state.values).map((block) => block.reason?.value)
    await client.chat.postMessage({ channel, text: `because ${reason}` })
  })
  app.action('approve_terminate', async ({ ack, client, body }) => {
    await ack()
    if (body.type !== 'block_actions') return
    const ts = body.message?.ts ?? ''
    await client.chat.postMessage({ channel, thread_ts: ts, text: `approved by <@${body.user.id}>` })
    await client.chat.update({ channel, ts, text: 'gone', blocks: [] })
  })
}

describe.skipIf(!hasBrowser)('the page, in a browser', () => {
  let browser: Browser
  let workspace: Workspace
  let app: App
  let page: Page
  const problems: string[] = []
  const closers: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser?.close())
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
    expect(problems.splice(0)).toEqual([])
  })

  const open = async () => {
    workspace = await createWorkspace({ manifest, events: ['app_home_opened'] })
    closers.push(workspace.close)
    const running = await startBolt(workspace, 'socket', listeners)
    closers.push(running.stop)
    app = running.app
    page = await browser.newPage({ locale: 'en-GB' })
    page.setDefaultTimeout(90_000)
    closers.push(() => page.close())
    listenForProblems(page, problems)
    await page.goto(workspace.url)
    await page.getByRole('button', { name: 'incidents' }).click()
  }

  /** A stack of two: the second has two inputs with one action id, and a button that is never acknowledged. */
  const openStack = async () => {
    const actions: unknown[] = []
    const text = (words: string) => ({ type: 'plain_text' as const, text: words })
    const time = (block_id: string, label: string) => ({
      type: 'input' as const,
      block_id,
      label: text(label),
      element: { type: 'plain_text_input' as const, action_id: 'time' },
    })
    const ask = { type: 'button' as const, action_id: 'ask', text: text('Ask') }
    const second = {
      type: 'modal' as const,
      callback_id: 'second',
      title: text('Second'),
      submit: text('Send'),
      blocks: [time('from', 'From'), time('to', 'To'), { type: 'actions' as const, elements: [ask] }],
    }
    const first = { type: 'modal' as const, callback_id: 'first', title: text('First'), submit: text('On') }
    app.command('/stack', async ({ ack, client, command }) => {
      await ack()
      await client.views.open({ trigger_id: command.trigger_id, view: { ...first, blocks: [] } })
    })
    app.view('first', ({ ack }) => ack({ response_action: 'push', view: second }))
    app.action('ask', async ({ body }) => {
      if (body.type === 'block_actions') actions.push(body.view?.state.values)
    })
    await workspace.slashCommand({ userId: 'U0RESP', channelId: channel, command: '/stack' })
    await workspace.waitFor(() => workspace.modal('U0RESP'))
    await workspace.submitView({ userId: 'U0RESP' })
    return { actions }
  }

  test('text is formatted as in Slack, and HTML in it stays text', async () => {
    await open()
    await app.client.chat.postMessage({ channel, text: 'card', blocks: card })
    const body = page.locator('.message .body')
    await body.waitFor()
    expect(await body.locator('.ping').allTextContents()).toEqual(['@Dana', '@here'])
    expect(await body.textContent()).toContain('not <!channel>, but')
    expect(await body.locator('pre').textContent()).toBe('<img src=x onerror="window.hit=1"> & \'*x*\'')
    expect(await body.locator('strong').first().textContent()).toBe('4711')
    expect(await page.evaluate('window.hit')).toBeUndefined()
  })

  test('charts are drawn, each series with its name, and HTML in a name stays text', async () => {
    await open()
    const categories = ['10:00', '10:05', '10:10']
    const data = (...values: number[]) =>
      categories.map((label, index) => ({ label, value: values[index] ?? 0 }))
    const series = [
      { name: '<img onerror=x>', data: data(0, 12, 3) },
      { name: 'IO', data: data(1, 0.5, -2) },
    ]
    const axis_config = { categories, y_label: 'sessions' }
    for (const type of ['line', 'bar', 'area']) {
      const block = { type: 'data_visualization', title: `A ${type}`, chart: { type, series, axis_config } }
      await app.client.chat.postMessage({ channel, text: type, blocks: [block] })
    }
    const segments = [
      { label: 'Lock', value: 3 },
      { label: 'IO', value: 1 },
    ]
    const pie = { type: 'data_visualization', title: 'A pie', chart: { type: 'pie', segments } }
    await app.client.chat.postMessage({ channel, text: 'pie', blocks: [pie] })
    const figure = (title: string) => page.locator('.chart', { hasText: title })
    await figure('A pie').waitFor()
    expect(await figure('A pie').locator('li').allTextContents()).toEqual(['Lock 75 %', 'IO 25 %'])
    expect(await figure('A pie').locator('path').count()).toBe(2)
    expect(await figure('A line').locator('li').allTextContents()).toEqual(['<img onerror=x>', 'IO'])
    expect(await figure('A line').locator('circle').count()).toBe(6)
    expect(await figure('A area').locator('path').count()).toBe(2)
    expect(await figure('A bar').locator('rect').count()).toBe(6)
    expect(await figure('A bar').locator('svg').getAttribute('aria-label')).toContain(
      'IO: 10:00 1, 10:05 0.5, 10:10 -2',
    )
    expect(
      await page.locator('.chart').evaluateAll((all) => all.map((one) => one.innerHTML).join()),
    ).not.toMatch(/NaN|<img/)
  })

  test('everything works by keyboard: a command, a dialog, an approval, the thread', async () => {
    await open()
    const composer = page.getByRole('combobox', { name: 'Message #incidents' })
    await composer.press('/')
    await composer.pressSequentially('ask sessions')
    await composer.press('Enter')
    await page.getByText('private sessions').waitFor()
    await page.getByText('Only visible to you').waitFor()

    await app.client.chat.postMessage({ channel, text: 'card', blocks: card })
    const approve = page.getByRole('button', { name: 'Approve' })
    await approve.press('Enter')
    await page.getByRole('dialog', { name: 'Terminate 4711?' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(workspace.messages(channel)[0]?.reply_count).toBeUndefined()

    await page.getByLabel('Act as').selectOption('U0DANA')
    expect(await page.getByText('Only visible to you').count()).toBe(0)
    await approve.press('Enter')
    await page.getByRole('button', { name: 'Terminate', exact: true }).press('Enter')
    await page.getByText('(edited)').waitFor()
    await page.getByRole('button', { name: /^1 reply/ }).press('Enter')
    await page.locator('#thread').getByText('approved by @Dana').waitFor()
    await page.keyboard.type('thank you')
    await page.keyboard.press('Enter')
    await workspace.waitFor(() => workspace.messages(channel).some((entry) => entry.text === 'thank you'))
    await page.keyboard.press('Escape')
    await page.locator('#thread').waitFor({ state: 'hidden' })
  })

  test('a modal shows errors until it is right, then is sent; a reload keeps everything', async () => {
    await open()
    await page.getByLabel('Act as').selectOption('U0DEVI')
    const composer = page.getByRole('combobox', { name: 'Message #incidents' })
    await composer.fill('/ask why')
    await composer.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Why?' })
    await dialog.waitFor()
    await page.reload()
    await dialog.waitFor()
    expect(await page.getByLabel('Act as').inputValue()).toBe('U0DEVI')
    await dialog.getByRole('button', { name: 'Propose' }).click()
    await dialog.getByText('Please complete this required field.').waitFor()
    await dialog.getByLabel('Reason').fill('forgotten psql')
    await page.keyboard.press('Enter')
    await page.getByText('because forgotten psql').waitFor()
    expect(await dialog.count()).toBe(0)
  })

  test('in a modal each input keeps its value, an unanswered press shows an error, and the cross closes all views', async () => {
    await open()
    const { actions } = await openStack()
    const dialog = page.getByRole('dialog', { name: 'Second' })
    await dialog.getByLabel('From').fill('ten')
    await dialog.getByLabel('To').fill('eleven')
    await dialog.getByRole('button', { name: 'Ask' }).click()
    await dialog.getByText('We had some trouble connecting. Try again?').waitFor()
    expect(await dialog.getByLabel('From').inputValue()).toBe('ten')
    expect(await dialog.getByLabel('To').inputValue()).toBe('eleven')
    expect(actions).toMatchObject([{ from: { time: { value: 'ten' } }, to: { time: { value: 'eleven' } } }])
    await dialog.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(workspace.modal('U0RESP')).toBeUndefined()
  })

  test('a long text is folded until somebody wants to see more', async () => {
    await open()
    const lines = Array.from({ length: 30 }, (_, n) => `line ${n}`).join('\n')
    const section = (expand: boolean) => ({ type: 'section', expand, text: { type: 'mrkdwn', text: lines } })
    await app.client.chat.postMessage({ channel, text: 'open', blocks: [section(true)] })
    await app.client.chat.postMessage({ channel, text: 'folded', blocks: [section(false)] })
    const more = page.getByRole('button', { name: 'See more' })
    await more.press('Enter')
    expect(await more.count()).toBe(0)
    expect(await page.locator('.folded').count()).toBe(0)
    await app.client.chat.postMessage({ channel, text: lines })
    await more.waitFor()
  })

  test('a press that is confirmed after the card was edited still arrives, with what was shown', async () => {
    await open()
    const heard: unknown[] = []
    app.action('approve_terminate', async ({ ack, action }) => {
      await ack()
      heard.push('value' in action && action.value)
    })
    for (const blocks of [card, []]) {
      const { ts = '' } = await app.client.chat.postMessage({ channel, text: 'card', blocks: card })
      await page.locator(`[data-ts="${ts}"]`).getByRole('button', { name: 'Approve' }).click()
      await page.getByRole('dialog').waitFor()
      await app.client.chat.update({ channel, ts, text: 'edited meanwhile', blocks })
      await page.locator(`[data-ts="${ts}"]`).getByText('(edited)').waitFor()
      await page.getByRole('button', { name: 'Terminate', exact: true }).click()
      await workspace.waitFor(() => workspace.thread(channel, ts).length === 2)
    }
    expect(heard).toEqual(['p1', 'p1'])
  })

  test('mrkdwn: a fence becomes a block, and a private channel becomes a link', async () => {
    await open()
    const text = 'before <#G0DBA|dba-team> &lt;!here&gt;\n```a\n> b```\nafter <!subteam^S0DBAONCALL> @channel'
    await app.client.chat.postMessage({ channel, text })
    const body = page.locator('.message .mrkdwn')
    await body.waitFor()
    expect(await body.innerHTML()).toMatch(/&lt;!here&gt;<pre><code>a\n&gt; b<\/code><\/pre>after /)
    expect(await body.locator('.ping').allTextContents()).toEqual(['@dba-oncall'])
    expect(await body.locator('.mention').first().textContent()).toBe('#dba-team')
  })

  test('mrkdwn: marks inside a word of any language mean nothing, a date has the form that was asked for', async () => {
    await open()
    const noon = Math.floor(new Date(2024, 1, 3, 12).getTime() / 1000)
    const today = Math.floor(Date.now() / 1000)
    const text = `ü*ber*all 你*好*吗 *é* <!date^${noon}^{date_num}|x> <!date^${today}^{date_pretty}|x>`
    await app.client.chat.postMessage({ channel, text })
    const body = page.locator('.message .mrkdwn')
    await body.waitFor()
    expect(await body.textContent()).toBe('ü*ber*all 你*好*吗 é 2024-02-03 today')
    expect(await body.locator('strong').allTextContents()).toEqual(['é'])
  })

  test('a draft stays in its channel, and App Home opens for each user', async () => {
    await open()
    const acts = page.getByLabel('Act as')
    const composer = page.getByRole('combobox', { name: 'Message #incidents' })
    await acts.selectOption('U0RESP')
    await composer.fill('/ask terminate 1')
    await acts.selectOption('U0DANA')
    expect(await composer.inputValue()).toBe('')
    await composer.fill('mine')
    await page.getByRole('button', { name: 'random' }).click()
    expect(await page.getByRole('combobox', { name: 'Message #random' }).inputValue()).toBe('')
    await page.getByRole('button', { name: 'incidents' }).click()
    expect(await composer.inputValue()).toBe('mine')
    await acts.selectOption('U0RESP')
    expect(await composer.inputValue()).toBe('/ask terminate 1')

    app.event('app_home_opened', async ({ event, client }) => {
      const text = { type: 'mrkdwn' as const, text: `Home of ${event.user}` }
      await client.views.publish({
        user_id: event.user,
        view: { type: 'home', blocks: [{ type: 'section', text }] },
      })
    })
    await page.getByRole('button', { name: 'Example app' }).click()
    await page.getByRole('tab', { name: 'Home' }).click()
    await page.getByText('Home of U0RESP').waitFor()
    await acts.selectOption('U0DANA')
    await page.getByText('Home of U0DANA').waitFor()
  })

  test('shortcuts stand beside the composer and on each message', async () => {
    await open()
    const used: string[] = []
    app.shortcut(/.*/, async ({ shortcut, ack }) => {
      used.push(`${shortcut.callback_id} ${'message' in shortcut ? shortcut.message.text : ''}`)
      await ack()
    })
    const shortcuts = page.getByRole('button', { name: 'Shortcuts' })
    await shortcuts.click()
    await page.keyboard.press('Escape')
    expect(await shortcuts.getAttribute('aria-expanded')).toBe('false')
    await shortcuts.click()
    await page.getByRole('button', { name: 'Begin' }).click()
    await expect.poll(() => used).toEqual(['begin '])
    await app.client.chat.postMessage({ channel, text: 'process 4312' })
    const message = page.locator('.message', { hasText: 'process 4312' })
    await message.hover()
    await message.getByRole('button', { name: /^Explain/ }).click()
    await expect.poll(() => used).toEqual(['begin ', 'explain process 4312'])
  })

  test('the newest message is in view after a reflow and after writing one', async () => {
    await open()
    const long = { type: 'section', expand: true, text: { type: 'mrkdwn', text: 'many words '.repeat(200) } }
    for (let n = 0; n < 4; n++) await app.client.chat.postMessage({ channel, text: 'long', blocks: [long] })
    const last = await app.client.chat.postMessage({ channel, text: 'the last one' })
    const newest = page.locator(`[data-ts="${last.ts}"]`)
    await newest.waitFor()
    const inSight = (locator: typeof newest) =>
      expect
        .poll(
          () =>
            locator.evaluate((node) => {
              const { top, bottom } = node.getBoundingClientRect()
              const around = node.closest('.messages')?.getBoundingClientRect()
              return around !== undefined && top >= around.top && bottom <= around.bottom + 1
            }),
          { timeout: 60_000, message: 'in sight' },
        )
        .toBe(true)
    for (const width of [1440, 700, 390]) {
      await page.setViewportSize({ width, height: 700 })
      await inSight(newest)
      // Drawn for good, so that what scrolls next is a person.
      await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
    }
    await page.locator('#conversation .messages').evaluate((node) => {
      node.scrollTop = 0
    })
    await app.client.chat.postMessage({ channel, text: 'somebody else' })
    await page.getByRole('button', { name: 'New messages' }).waitFor()
    const composer = page.getByRole('combobox', { name: 'Message #incidents' })
    await composer.fill('/ask help')
    await composer.press('Enter')
    const answer = page.locator('.message', { hasText: 'private help' })
    await answer.waitFor()
    await inSight(answer)
  })

  test('the page says why somebody cannot write here, and that nothing was sent', async () => {
    await open()
    const composer = page.getByRole('combobox', { name: 'Message #incidents' })
    await composer.fill('hello')
    const why = page.getByText('This channel is archived: nobody can write here.')
    expect(await why.isVisible()).toBe(false)
    workspace.archive(channel)
    await why.waitFor()
    expect(await composer.isVisible()).toBe(false)
    workspace.archive(channel, false)
    await page.route('**/control/say', (route) => route.abort())
    await composer.press('Enter')
    await page.getByText('The workspace does not answer: nothing was sent.').waitFor()
    expect(await composer.inputValue()).toBe('hello')
    // The browser's own complaint.
    expect(problems.splice(0)).toEqual(['Failed to load resource: net::ERR_FAILED'])
  })

  test('a hidden tab holds no connection, and is up to date when it is shown again', async () => {
    await open()
    const context = await browser.newContext()
    closers.push(() => context.close())
    const put = (tab: Page, state: 'hidden' | 'visible') =>
      tab.evaluate(`Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))`)
    const tabs: Page[] = []
    // A browser keeps six connections to one place.
    for (let n = 0; n < 8; n++) {
      const tab = await context.newPage()
      tabs.push(tab)
      await tab.goto(workspace.url, { timeout: 20_000 })
      await tab.getByRole('button', { name: 'incidents' }).click({ timeout: 20_000 })
      await put(tab, 'hidden')
    }
    const [first] = tabs
    if (!first) throw new Error('there is no tab')
    await app.client.chat.postMessage({ channel, text: 'said meanwhile' })
    await page.getByText('said meanwhile').waitFor()
    expect(await first.getByText('said meanwhile').count()).toBe(0)
    await put(first, 'visible')
    await first.getByText('said meanwhile').waitFor()
  })

  test('on a narrow screen the list of channels opens over the conversation and closes again', async () => {
    await open()
    await page.setViewportSize({ width: 390, height: 800 })
    const menu = page.getByRole('button', { name: 'Channels' })
    const places = page.locator('#sidebar')
    await menu.press('Enter')
    await places.waitFor()
    expect(await menu.getAttribute('aria-expanded')).toBe('true')
    await page.keyboard.press('Escape')
    await places.waitFor({ state: 'hidden' })
    expect(await page.evaluate("document.activeElement.matches('.menu-button')")).toBe(true)
    await menu.click()
    await page.locator('#conversation .messages').click({ position: { x: 370, y: 300 } })
    await places.waitFor({ state: 'hidden' })
    await menu.click()
    await places.getByRole('button', { name: 'random' }).click()
    await places.waitFor({ state: 'hidden' })
    await page.getByRole('heading', { name: 'random' }).waitFor()
  })

  test('a permalink leads to its message', async () => {
    await open()
    const { ts = '' } = await app.client.chat.postMessage({ channel, text: 'look here' })
    const { permalink = '' } = await app.client.chat.getPermalink({ channel, message_ts: ts })
    await page.goto(permalink)
    expect(await page.locator('.message.highlight .body').textContent()).toBe('look here')
  })
})
