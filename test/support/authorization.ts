import type { Authorization } from '../../src/actions/authorize.ts'

/** Lets everybody do everything, and writes no refusal down. */
export const openToAll: Authorization = {
  checkAccess: async () => null,
  authorize: async () => null,
  refuse: async (_, refusal) => refusal,
  settleCounts: async () => {},
}
