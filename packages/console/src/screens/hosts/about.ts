/** What a host says of itself; a newer or older one says more or less. */
import { z } from 'zod'

const schema = z.object({
  hostname: z.string().catch(''),
  os: z.string().catch(''),
  kernel: z.string().catch(''),
  arch: z.string().catch(''),
  cpuCount: z.number().catch(0),
  memoryBytes: z.number().catch(0),
  addresses: z.array(z.string()).catch([]),
})

export function readAbout(about: Readonly<Record<string, unknown>>): z.infer<typeof schema> {
  return schema.parse(about)
}
