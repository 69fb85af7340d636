/**
 * Counts the milliseconds of CPU that this thread takes from now on: a bound on how an algorithm grows must not fail
 * because the machine is busy with something else.
 */
export function startCpu(): () => number {
  const before = process.threadCpuUsage()
  return () => {
    const { user, system } = process.threadCpuUsage(before)
    return (user + system) / 1000
  }
}
