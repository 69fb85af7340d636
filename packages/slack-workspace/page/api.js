/** The workspace's own interface: one stream of what happens, one POST for what one does. */

export async function control(name, ...args) {
  const response = await fetch(`/control/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(args),
  }).catch(() => {
    throw new Error('The workspace does not answer: nothing was sent. Is it still running?')
  })
  const answer = await response.json()
  if (!answer.ok) throw new Error(answer.error)
  return answer.result
}

/**
 * @param {{onState: (state: any) => void, onChange: (change: object) => void, onPanel: (panel: {module: string, state: object}) => void,
 *   onConnection: (up: boolean) => void}} listeners
 */
export function listen({ onState, onChange, onPanel, onConnection }) {
  /** @type {EventSource | null} */
  let source = null
  const open = () => {
    if (source) return
    const opened = new EventSource('/control/events')
    source = opened
    opened.addEventListener('state', (event) => {
      onState(JSON.parse(event.data))
      onConnection(true)
    })
    opened.addEventListener('change', (event) => onChange(JSON.parse(event.data)))
    opened.addEventListener('panel', (event) => onPanel(JSON.parse(event.data)))
    opened.addEventListener('error', () => onConnection(false))
  }
  const close = () => {
    source?.close()
    source = null
  }
  // A browser keeps six connections to one place: a tab that nobody looks at must not hold one of them. Who comes back
  // to it is told everything anew.
  const follow = () => (document.visibilityState === 'hidden' ? close() : open())
  document.addEventListener('visibilitychange', follow)
  follow()
}
