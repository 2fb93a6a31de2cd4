/** What commands say while and after they run. */
export const englishRun = {
  'error.label': 'error:',
  'hint.label': 'hint:',
  'warning.label': 'warning:',

  'age.now': 'just now',
  'age.minutes': '{count} min ago',
  'age.hours': '{count} h ago',
  'age.days': '{count} d ago',
} as const
