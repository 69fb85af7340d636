/** The game day: one trouble at random, and what came of it. */
import { control } from '/page/api.js'
import { h, syncList } from '/page/dom.js'
import { icon } from '/page/icons.js'
import { secondsText } from './words.js'

const sum = (losses) => losses.reduce((seconds, loss) => seconds + loss.seconds, 0)
const workText = (losses) => (sum(losses) < 0.05 ? 'no work' : `${secondsText(sum(losses))} of work`)
const lossText = (losses) =>
  losses.length === 0
    ? 'nothing'
    : `${workText(losses)} (${[...new Set(losses.map(({ name, how }) => `${name} ${how}`))].join(', ')})`

function reportNode(report) {
  const line = (label, value) => [h('dt', null, label), h('dd', null, value)]
  const after = (seconds) => (seconds === null ? 'never' : `after ${secondsText(seconds)}`)
  return h(
    'div',
    { class: report.wasGentlest ? 'report good' : 'report' },
    h('h4', null, report.endedAfter === null ? `Given up: ${report.title}` : report.title),
    h('p', null, report.cause),
    h(
      'dl',
      null,
      line('The bot showed it', after(report.seenAfter)),
      line('Somebody was called', after(report.calledAfter)),
      line('First move', after(report.firstMoveAfter)),
      line('It was over', after(report.endedAfter)),
      line('Lost', lossText(report.losses)),
      line('The gentlest way', `${report.gentlestWords} It costs ${workText(report.gentlest)}.`),
    ),
    h(
      'p',
      null,
      h(
        'a',
        { href: '/panel/report', target: '_blank', rel: 'noopener', 'data-focus': 'report' },
        'The bot’s report of it',
      ),
    ),
    report.wasGentlest ? h('p', { class: 'verdict' }, icon('check'), ' That was the gentlest way.') : null,
  )
}

export function createGameDay(say) {
  const clock = h('strong', { class: 'clock' })
  const holder = h('div', { class: 'gameday' })
  let since = 0
  let ticking

  const tick = () => {
    const seconds = Math.max(0, Math.floor((Date.now() - since) / 1000))
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  }
  const button = (label, name, kind = '') =>
    h(
      'button',
      {
        type: 'button',
        class: `control ${kind}`,
        'data-focus': name,
        onclick: () => control(`panel/${name}`).catch(say),
      },
      label,
    )
  const faces = {
    idle: ({ report }) =>
      h(
        'div',
        { class: 'card' },
        h(
          'div',
          { class: 'row' },
          h(
            'div',
            { class: 'grow' },
            h('h3', null, 'Game day'),
            h(
              'p',
              { class: 'faint' },
              'One trouble at random. You hear what people complain about, no more.',
            ),
          ),
          button(report ? 'Play again' : 'Play', 'startGameDay', 'primary'),
        ),
        report ? reportNode(report) : null,
      ),
    preparing: () =>
      h(
        'div',
        { class: 'card' },
        h('h3', null, 'Game day'),
        h('p', { class: 'faint' }, 'Setting the stage…'),
      ),
    playing: ({ story, seen, called }) =>
      h(
        'div',
        { class: 'card on' },
        h('div', { class: 'row' }, h('h3', { class: 'grow' }, 'Game day'), clock),
        h('blockquote', null, story),
        h(
          'p',
          { class: 'faint' },
          `${seen ? 'The bot has shown it in the channel' : 'The bot has not shown it yet'}${called ? ', and somebody was called.' : '.'}`,
        ),
        button('Give up', 'giveUpGameDay'),
      ),
  }

  const draw = ({ gameDay }) => {
    clearInterval(ticking)
    if (gameDay.kind === 'playing') {
      since = gameDay.since
      tick()
      ticking = setInterval(tick, 500)
    }
    syncList(holder, [
      { key: 'face', parts: [JSON.stringify(gameDay)], build: () => faces[gameDay.kind](gameDay) },
    ])
  }
  return { node: holder, draw }
}
