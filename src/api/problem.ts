import type { RefusalCode } from '../domain/approvals/access.ts'
import { clean, onOneLine, truncate } from '../domain/text/clean.ts'
import { ClusterError } from '../postgres/cluster.ts'
import { storeFailureOf } from '../store/failure.ts'

/** Most characters of a message: it may name what a stranger sent. */
const longestMessage = 1000

/** Reason why a program gets no answer, as it reads it: `{"error": {"code", "message"}}`, with a status of HTTP. */
export class ApiError extends Error {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 422 | 429 | 500 | 503
  readonly code: string

  constructor(status: ApiError['status'], code: string, message: string) {
    super(truncate(onOneLine(clean(message)), longestMessage))
    this.name = 'ApiError'
    this.status = status
    this.code = code
  }
}

/** Finds the status of a refusal: what a person is told in words, a program has to tell apart. */
export function refusalError({
  code,
  reason,
}: {
  readonly code: RefusalCode
  readonly reason: string
}): ApiError {
  const message = `Refused: ${ended(reason)}`
  switch (code) {
    case 'notAllowed':
      return new ApiError(403, code, message)
    case 'notWatched':
    case 'unknownProposal':
      return new ApiError(404, code, message)
    case 'keyReused':
      return new ApiError(422, code, message)
    case 'notSeen':
      return new ApiError(503, code, message)
    default:
      return new ApiError(409, code, message)
  }
}

/** Ends a reason, which may be a clause or a sentence. */
const ended = (reason: string): string => `${reason.replace(/\.$/, '')}.`

/** Makes of any failure what a program may know of it; null where it is a fault of ours. */
export function apiErrorOf(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error
  if (error instanceof ClusterError)
    return new ApiError(
      503,
      'notSeen',
      `The cluster cannot be seen: ${ended(error.reason)} That is not calm.`,
    )
  if (storeFailureOf(error) !== null)
    return new ApiError(503, 'storeUnavailable', 'My own memory cannot be reached. Try again in a moment.')
  return null
}

/** Tells a program of a fault of ours no more than that. */
export const faultOfOurs = () =>
  new ApiError(500, 'internal', 'This is a fault of pg-marshal; its log says more.')
