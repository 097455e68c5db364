"""Charts as pure functions of data: no Streamlit, no state, the theme is an argument."""
