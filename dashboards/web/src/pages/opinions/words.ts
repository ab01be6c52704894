export default {
  zh: {
    title: '客户观点',
  },
  en: {
    title: 'Opinions',
  },
};
