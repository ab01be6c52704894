export default {
  zh: {
    title: '质检',
  },
  en: {
    title: 'Review',
  },
};
