import { BgColorsOutlined, MoonOutlined, SunOutlined } from '@ant-design/icons'
import Button from 'antd/es/button'
import { useText } from '../i18n/text.ts'
import { appMessages } from './messages/text.ts'
import { setTheme, THEMES, useTheme } from './theme.ts'

const ICONS = { system: BgColorsOutlined, light: SunOutlined, dark: MoonOutlined }

/** Goes through system, light and dark. */
export function ThemeButton() {
  const text = useText(appMessages)
  const theme = useTheme()
  const Icon = ICONS[theme]
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!
  const label = `${text('theme')}: ${text(`theme.${theme}`)}`
  return (
    <Button
      type="text"
      icon={<Icon />}
      aria-label={label}
      title={label}
      onClick={() => setTheme(next)}
      data-testid="theme"
    />
  )
}
