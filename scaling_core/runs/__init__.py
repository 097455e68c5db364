"""What has been trained and what is training: the store (SQLite), the processes, and the results read from them.

Nothing in here imports torch or Streamlit.
"""
