import { addresseeFor, bool, channelFor, memberOnly, need, str, structure } from './arguments.ts'
import { checkAttachments, checkBlocks, checkKinds, checkMetadata, checkText, textLimit } from './limits.ts'
import type { State } from './state.ts'
import { type Block, type Channel, type Json, type Message, SlackRefusal } from './types.ts'
import type { Method } from './webapi.ts'

const blocksOf = (state: State, args: Json): readonly Block[] | undefined => {
  checkAttachments(structure(args, 'attachments', 'invalid_attachments'))
  const blocks = structure(args, 'blocks', 'invalid_blocks_format')
  if (blocks === undefined || blocks === null) return undefined
  checkBlocks(blocks)
  checkKinds(blocks, state.refusedKinds())
  return blocks
}

const metadataOf = (args: Json): Json | undefined => {
  const metadata = structure(args, 'metadata', 'invalid_metadata_format')
  checkMetadata(metadata)
  return metadata as Json | undefined
}

const threadOf = (state: State, channel: Channel, args: Json): string | undefined => {
  const ts = str(args, 'thread_ts')
  if (ts === undefined) return undefined
  if (!/^\d+\.\d{6}$/.test(ts)) throw new SlackRefusal('invalid_thread_ts')
  const parent = state.find(channel.id, ts)
  // Slack's documents do not say what a reply to a deleted message gets; a refusal is what an app must survive.
  if (!parent) throw new SlackRefusal('thread_not_found')
  return parent.thread_ts ?? ts
}

const ownMessage = (state: State, channel: Channel, args: Json, refusal: string): Message => {
  const message = state.find(channel.id, need(args, 'ts'))
  if (!message) throw new SlackRefusal('message_not_found')
  if (message.user !== state.seed.app.botUserId) throw new SlackRefusal(refusal)
  return message
}

export const chatMethods: Readonly<Record<string, Method>> = {
  'chat.postMessage': {
    scope: () => 'chat:write',
    run: ({ state, scopes }, args) => {
      const channel = addresseeFor(state, need(args, 'channel'))
      if (!scopes.has('chat:write.public') || channel.kind !== 'public') memberOnly(state, channel)
      if (channel.archived) throw new SlackRefusal('is_archived')
      const blocks = blocksOf(state, args)
      checkText(args.text, blocks, textLimit.post)
      const metadata = metadataOf(args)
      const threadTs = threadOf(state, channel, args)
      const message = state.post({
        channel: channel.id,
        user: state.seed.app.botUserId,
        text: str(args, 'text') ?? '',
        ...(blocks ? { blocks } : {}),
        ...(metadata ? { metadata } : {}),
        ...(threadTs ? { threadTs } : {}),
        broadcast: threadTs !== undefined && bool(args, 'reply_broadcast'),
      })
      return { channel: channel.id, ts: message.ts, message }
    },
  },
  'chat.update': {
    scope: () => 'chat:write',
    run: ({ state }, args) => {
      const channel = memberOnly(state, channelFor(state, need(args, 'channel')))
      if (channel.archived) throw new SlackRefusal('is_inactive')
      const message = ownMessage(state, channel, args, 'cant_update_message')
      const blocks = blocksOf(state, args)
      const text = str(args, 'text')
      checkText(text, blocks ?? message.blocks, textLimit.update)
      const metadata = metadataOf(args)
      const updated = state.update(channel.id, message.ts, {
        ...(text === undefined ? {} : { text }),
        ...(blocks ? { blocks } : {}),
        ...(metadata ? { metadata } : {}),
      })
      return { channel: channel.id, ts: message.ts, text: updated?.text ?? '', message: updated }
    },
  },
  'chat.delete': {
    scope: () => 'chat:write',
    run: ({ state }, args) => {
      const channel = memberOnly(state, channelFor(state, need(args, 'channel')))
      const message = ownMessage(state, channel, args, 'cant_delete_message')
      state.remove(channel.id, message.ts)
      return { channel: channel.id, ts: message.ts }
    },
  },
  'chat.postEphemeral': {
    scope: () => 'chat:write',
    run: ({ state }, args) => {
      const channel = memberOnly(state, channelFor(state, need(args, 'channel')))
      if (channel.archived) throw new SlackRefusal('is_archived')
      const user = need(args, 'user')
      if (!channel.members.includes(user)) throw new SlackRefusal('user_not_in_channel')
      const blocks = blocksOf(state, args)
      checkText(args.text, blocks, textLimit.ephemeral)
      const threadTs = threadOf(state, channel, args)
      const ephemeral = state.whisper({
        channel: channel.id,
        to: user,
        from: state.seed.app.botUserId,
        text: str(args, 'text') ?? '',
        ...(blocks ? { blocks } : {}),
        ...(threadTs ? { thread_ts: threadTs } : {}),
      })
      return { message_ts: ephemeral.ts }
    },
  },
  'chat.getPermalink': {
    run: ({ state, baseUrl }, args) => {
      const channel = channelFor(state, need(args, 'channel'))
      const ts = need(args, 'message_ts')
      const message = state.find(channel.id, ts)
      if (!message) throw new SlackRefusal('message_not_found')
      const inThread = message.thread_ts && message.thread_ts !== ts
      const query = inThread ? `?thread_ts=${message.thread_ts}&cid=${channel.id}` : ''
      return {
        channel: channel.id,
        permalink: `${baseUrl()}/archives/${channel.id}/p${ts.replace('.', '')}${query}`,
      }
    },
  },
}
