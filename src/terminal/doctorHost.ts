import { hidesActivity, untold } from '../domain/host/process.ts'
import { type HostedServer, lookOnHost } from '../host/look.ts'
import { createHost, type Host } from '../host/procfs.ts'
import { type Check, fine } from './doctorCheck.ts'

/** Looks whether the processes of a server that is said to run here can be seen and signalled, as the last resort needs it. */
export async function checkHost(server: HostedServer, host: Host = createHost()): Promise<Check[]> {
  if (server.host !== 'local') return []
  const seen = await lookOnHost(server, host)
  if ('problem' in seen) return [lacks(seen.problem, seen.fix)]
  const { backends, postmaster } = seen
  const all = `${backends.length} processes of the server`
  const unseen = backends.filter(({ executable }) => executable === null).length
  if (unseen > 0)
    return [
      lacks(
        `the programs of ${unseen} of ${all} may not be seen, so none of them can be signalled`,
        'Run pg-marshal as the user that the server runs as, or give it CAP_SYS_PTRACE.',
      ),
    ]
  if (!host.mayReach(postmaster.pid))
    return [
      lacks(
        `the ${all} can be seen, and take no signal of this user`,
        'Run pg-marshal as the user that the server runs as, or give it CAP_KILL.',
      ),
    ]
  const unknown = backends.filter(hidesActivity).length
  if (unknown > 0)
    return [lacks(`${untold.why}: ${unknown} of the ${all} can be seen, and not ended from here`, untold.fix)]
  return [fine(`the ${all} can be seen and signalled (${postmaster.dataDirectory})`)]
}

const lacks = (what: string, fix: string): Check => ({ what: `host: local, and ${what}`, fix, needed: false })
