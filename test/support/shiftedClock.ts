/** Preloaded by a process (`node --import`): its clock is apart from the machine's by TEST_CLOCK_MS milliseconds. */
const apartMs = Number(process.env.TEST_CLOCK_MS)
const RealDate = Date
globalThis.Date = new Proxy(RealDate, {
  get: (target, name) => (name === 'now' ? () => RealDate.now() + apartMs : Reflect.get(target, name)),
  apply: () => new RealDate(RealDate.now() + apartMs).toString(),
  construct: (_, given: readonly unknown[], asked) =>
    Reflect.construct(RealDate, given.length > 0 ? given : [RealDate.now() + apartMs], asked),
})
