/** Words of the panel about sessions. */

export const shortAge = (seconds) => {
  if (seconds < 100) return `${seconds}s`
  if (seconds < 6000) return `${Math.round(seconds / 60)}m`
  return `${Math.round(seconds / 3600)}h`
}

export const secondsText = (seconds) => `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`

export const called = (node) => (node.pid === null ? node.name : `${node.name} (${node.pid})`)

/** One line on one session. `nameOf` turns the id of another one into its name. */
export function describe(node, nameOf) {
  if (node.wait) {
    const behind = [node.behind, ...node.alsoBehind].filter(Boolean).map(nameOf).join(', ')
    const since = node.wait.seconds === null ? '' : ` for ${shortAge(node.wait.seconds)}`
    return `${called(node)} waits${since} behind ${behind || 'somebody'}: ${node.wait.mode} on ${node.wait.on}`
  }
  if (node.kind === 'prepared')
    return `${node.name}: a prepared transaction, ${shortAge(node.seconds)} old; no session holds it`
  return `${called(node)}: ${node.state} for ${shortAge(node.seconds)}`
}

/** The whole picture in one sentence, without anything that changes each second. */
export function summary(view) {
  if (view.state === 'silent') return view.version ? 'The server does not answer.' : 'Looking at the server…'
  if (view.nodes.every((node) => !node.wait)) {
    return view.why ? 'Many wait, and the lock manager is busy.' : 'Nobody waits for a lock.'
  }
  const roots = view.nodes.filter((node) => node.isRoot)
  const waiting = view.waiting === 1 ? '1 session waits' : `${view.waiting} sessions wait`
  if (roots.length === 0) return `${waiting} in a circle.`
  const names = roots.slice(0, 2).map(called).join(', ')
  return `${waiting} behind ${names}${roots.length > 2 ? ` and ${roots.length - 2} more` : ''}.`
}
