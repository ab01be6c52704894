export default {
  zh: {
    title: '告警',
  },
  en: {
    title: 'Alerts',
  },
};
