export default {
  zh: {
    title: '会话',
  },
  en: {
    title: 'Session',
  },
};
