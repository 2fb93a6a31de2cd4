/** Message texts with their `{placeholders}` filled; a missing one does not compile. */
import type { English, MessageKey } from './english.ts'
import type { Language } from './language.ts'

export type Messages = Readonly<Record<MessageKey, string>>

type Placeholders<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never

type Parameters<K extends MessageKey> = [Placeholders<English[K]>] extends [never]
  ? []
  : [values: Readonly<Record<Placeholders<English[K]>, string | number>>]

export type Text = <K extends MessageKey>(key: K, ...parameters: Parameters<K>) => string

export function makeText(messages: Messages): Text {
  return (key, ...parameters) => {
    const values: Readonly<Record<string, string | number>> = parameters[0] ?? {}
    return messages[key].replaceAll(
      /\{(\w+)\}/g,
      (whole, name: string) => `${values[name] ?? whole}`,
    )
  }
}

export async function loadText(language: Language): Promise<Text> {
  if (language === 'zh') return makeText((await import('./chinese.ts')).chinese)
  return makeText((await import('./english.ts')).english)
}
