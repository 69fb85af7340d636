import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { channelFor, memberOnly, need, str, structure } from './arguments.ts'
import { readBytes, sendJson } from './http.ts'
import { isObject } from './rules.ts'
import type { State } from './state.ts'
import { type Json, SlackRefusal } from './types.ts'
import type { Method } from './webapi.ts'

type File = {
  readonly id: string
  readonly name: string
  readonly length: number
  content: Buffer | null
  isShared: boolean
}

/** Length of a file's preview on the page. Characters. */
const previewLength = 4_000

/** Files on their way: an address to send them to, then the word that they are complete. */
export const createFiles = (state: State, baseUrl: () => string) => {
  const files = new Map<string, File>()
  const tickets = new Map<string, File>()

  return {
    announce: (name: string, length: number): Json => {
      const id = `F0${randomBytes(5).toString('hex').toUpperCase()}`
      const file: File = { id, name, length, content: null, isShared: false }
      const ticket = randomBytes(12).toString('hex')
      files.set(id, file)
      tickets.set(ticket, file)
      return { upload_url: `${baseUrl()}/upload/v1/${ticket}`, file_id: id }
    },
    find: (id: string) => files.get(id),
    /** `POST` of the bytes, as they are or as the one file of a form. */
    upload: async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
      const file = tickets.get(path.slice('/upload/v1/'.length))
      const body = await readBytes(request)
      if (request.method !== 'POST' || !file || file.content !== null)
        return sendJson(response, 404, { ok: false, error: 'invalid_url' })
      file.content = await fileOf(request.headers['content-type'] ?? '', body)
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.end(`OK - ${file.content.length}`)
    },
    /** https://docs.slack.dev/reference/objects/file-object, as far as the page and an app need it. */
    object: (file: File, title: string | undefined): Json => {
      const content = file.content ?? Buffer.alloc(0)
      const described = {
        id: file.id,
        name: file.name,
        title: title ?? file.name,
        size: content.length,
        user: state.seed.app.botUserId,
      }
      return isUtf8(content)
        ? {
            ...described,
            mimetype: 'text/plain',
            mode: 'snippet',
            preview: content.toString('utf8').slice(0, previewLength),
          }
        : { ...described, mimetype: 'application/octet-stream', mode: 'hosted' }
    },
  }
}

export type Files = ReturnType<typeof createFiles>

async function fileOf(contentType: string, body: Buffer): Promise<Buffer> {
  if (!contentType.startsWith('multipart/form-data')) return body
  const form = await new Response(new Uint8Array(body), {
    headers: { 'content-type': contentType },
  }).formData()
  const file = [...form.values()].find((value) => typeof value !== 'string')
  return Buffer.from(await (file ?? new Blob([])).arrayBuffer())
}

export const fileMethods: Readonly<Record<string, Method>> = {
  'files.getUploadURLExternal': {
    scope: () => 'files:write',
    run: ({ files }, args) => {
      const length = Number(need(args, 'length'))
      if (!Number.isInteger(length) || length <= 0) throw new SlackRefusal('invalid_arguments')
      return files.announce(need(args, 'filename'), length)
    },
  },
  'files.completeUploadExternal': {
    scope: () => 'files:write',
    run: ({ state, files }, args) => {
      const given = structure(args, 'files', 'invalid_arguments')
      if (!Array.isArray(given) || given.length === 0) throw new SlackRefusal('invalid_arguments')
      const complete = given.map((entry) => {
        const file = isObject(entry) ? files.find(String(entry.id)) : undefined
        if (!file || file.content === null || file.isShared) throw new SlackRefusal('file_not_found')
        if (file.content.length !== file.length) throw new SlackRefusal('file_update_failed')
        return { file, object: files.object(file, str(entry, 'title')) }
      })
      const where = str(args, 'channel_id')
      if (where !== undefined) {
        const channel = memberOnly(state, channelFor(state, where))
        if (channel.archived) throw new SlackRefusal('is_archived')
        const threadTs = str(args, 'thread_ts')
        if (threadTs !== undefined && !state.find(channel.id, threadTs))
          throw new SlackRefusal('invalid_thread_ts')
        state.post({
          channel: channel.id,
          user: state.seed.app.botUserId,
          text: str(args, 'initial_comment') ?? '',
          files: complete.map(({ object }) => object),
          ...(threadTs ? { threadTs } : {}),
        })
      }
      for (const { file } of complete) file.isShared = true
      return { files: complete.map(({ object }) => object) }
    },
  },
}
