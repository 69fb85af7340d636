import type { Config } from '../config/config.ts'
import { portIn } from '../domain/text/databaseUrl.ts'
import { createHost, type Host } from '../host/procfs.ts'
import { type Check, fine } from './doctorCheck.ts'

/** Looks whether the processes of a server that is said to run here can be seen, as the last resort needs it. */
export async function checkHost(
  { host: where, url }: Pick<Config['clusters'][number], 'host' | 'url'>,
  host: Host = createHost(),
): Promise<Check[]> {
  if (where !== 'local') return []
  const port = portIn(url)
  const [postmaster, ...others] = await host.postmasters(port)
  if (!postmaster)
    return [
      {
        what: `host: local, and no server of this machine that may be seen here listens on port ${port}`,
        fix: 'Run pg-marshal as the user that the server runs as (or as root), in the same container where there is one; or leave host out.',
        needed: false,
      },
    ]
  if (others.length > 0)
    return [
      {
        what: `host: local, and ${others.length + 1} servers of this machine listen on port ${port}: which of them is meant is not to be seen`,
        fix: 'Give each server a port of its own, or leave host out.',
        needed: false,
      },
    ]
  const backends = await host.backends(postmaster)
  const unseen = backends.filter(({ executable }) => executable === null).length
  return unseen > 0
    ? [
        {
          what: `the programs of ${unseen} of ${backends.length} processes of the server may not be seen, so none of them can be signalled`,
          fix: 'Run pg-marshal as the user that the server runs as, or give it CAP_SYS_PTRACE.',
          needed: false,
        },
      ]
    : [fine(`the ${backends.length} processes of the server can be seen (${postmaster.dataDirectory})`)]
}
