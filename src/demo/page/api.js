/** The practice room's own interface: one stream of what happens, one POST for what one does. */

export async function control(name, ...args) {
  const response = await fetch(`/control/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(args),
  }).catch(() => {
    throw new Error('The practice room does not answer: nothing was sent. Is it still running?')
  })
  const answer = await response.json()
  if (!answer.ok) throw new Error(answer.error)
  return answer.result
}

/**
 * @param {{onState: (state: object) => void, onChange: (change: object) => void, onRoom: (room: object) => void,
 *   onConnection: (up: boolean) => void}} listeners
 */
export function listen({ onState, onChange, onRoom, onConnection }) {
  const source = new EventSource('/control/events')
  source.addEventListener('state', (event) => {
    onState(JSON.parse(event.data))
    onConnection(true)
  })
  source.addEventListener('change', (event) => onChange(JSON.parse(event.data)))
  source.addEventListener('room', (event) => onRoom(JSON.parse(event.data)))
  source.addEventListener('error', () => onConnection(false))
}
