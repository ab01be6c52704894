export default {
  zh: {
    title: '申诉',
  },
  en: {
    title: 'Appeals',
  },
};
