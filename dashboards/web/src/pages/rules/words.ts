export default {
  zh: {
    title: '规则',
  },
  en: {
    title: 'Rules',
  },
};
