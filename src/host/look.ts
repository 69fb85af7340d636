import type { Backend, Postmaster } from '../domain/host/process.ts'
import { portIn } from '../domain/text/databaseUrl.ts'
import { list } from '../domain/text/sentence.ts'
import { createHost, type Host, type Servers } from './procfs.ts'

/** Place where a server is said to run. */
export type HostedServer = { readonly host: 'local' | null; readonly url: string }

/** Processes of a server, or why they cannot be seen and what helps. */
export type OnHost =
  | { readonly host: Host; readonly postmaster: Postmaster; readonly backends: readonly Backend[] }
  | { readonly problem: string; readonly fix: string }

/** Looks at the processes of a server that is said to run on this machine. */
export async function lookOnHost({ host: where, url }: HostedServer, host = createHost()): Promise<OnHost> {
  if (where !== 'local')
    return {
      problem: 'it is not said to run on this machine',
      fix: 'Write host: local under it, where it does.',
    }
  const port = portIn(url)
  const servers = await host.servers(port)
  const [postmaster, ...others] = servers.found
  if (!postmaster) return unfound(port, servers)
  if (others.length > 0)
    return {
      problem: `${servers.found.length} servers of this machine listen on port ${port} (${list(servers.found.map(({ dataDirectory }) => dataDirectory))}), and which of them is meant is not to be seen`,
      fix: 'Give each server a port of its own, or leave host out.',
    }
  return { host, postmaster, backends: await host.backends(postmaster) }
}

function unfound(port: number, { hidden, all }: Servers): OnHost {
  if (hidden > 0)
    return {
      problem: `${hidden} of ${all} processes of PostgreSQL here belong to another user, and may not be looked into`,
      fix: 'Run pg-marshal as the user that the server runs as, or give it CAP_SYS_PTRACE (to look) and CAP_KILL (to signal).',
    }
  return all > 0
    ? {
        problem: `servers run here, and none that listens on port ${port}`,
        fix: 'Write the port of the server itself into the url, not that of a pooler or a forwarded one; or leave host out.',
      }
    : {
        problem:
          'no process of PostgreSQL can be seen here: the server is down, or runs on another machine or in another container',
        fix: 'Let both share the processes (docker run --pid=container:NAME, shareProcessNamespace: true in a pod), or leave host out.',
      }
}
